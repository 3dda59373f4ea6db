--! Notes by which run another one is to be done again at somebody's request. Answers it, that of the first to ask; GONE; or FULL.
--! args: now run request again most:int
--! include: clock meta
-- request: or empty, when nobody will ask for the same again. most: how often a run may be done
-- again, which is counted here.
now = clock(now)
if unknown_format() then return unknown_format() end
if redis.call('EXISTS', k_run .. run) == 0 then return 'GONE' end
local known = request ~= '' and redis.call('HGET', k_run .. run, 'q:' .. request)
if known then return known end
if tonumber(redis.call('HGET', k_run .. run, 'reruns') or 0) >= most then return 'FULL' end
redis.call('HINCRBY', k_run .. run, 'reruns', 1)
if request ~= '' then redis.call('HSET', k_run .. run, 'q:' .. request, again) end
return again
