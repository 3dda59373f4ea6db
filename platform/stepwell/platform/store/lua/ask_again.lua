--! Notes by which run another one is to be done again at somebody's request. Answers it, that of the first to ask; or GONE.
--! args: now run request again
--! include: clock meta
now = clock(now)
if unknown_format() then return unknown_format() end
if redis.call('EXISTS', k_run .. run) == 0 then return 'GONE' end
redis.call('HSETNX', k_run .. run, 'q:' .. request, again)
return redis.call('HGET', k_run .. run, 'q:' .. request)
