--! Has a bulk job that was stopped go on where it was. Answers OK, OVER (it has done all it had to), GONE or FULL.
--! args: now id most:int
--! include: clock meta bulk
-- most: jobs that may go on at once.
now = clock(now)
if unknown_format() then return unknown_format() end
local state = redis.call('HGET', k_bulk .. id, 'state')
if not state then return 'GONE' end
if state == 'running' then return 'OK' end
if state == 'stopping' then
  redis.call('HSET', k_bulk .. id, 'state', 'running')
  return 'OK'
end
if state ~= 'stopped' then return 'OVER' end
if redis.call('ZCOUNT', k_bulks, '+inf', '+inf') >= most then return 'FULL' end
redis.call('HSET', k_bulk .. id, 'state', 'running')
redis.call('HDEL', k_bulk .. id, 'ended')
redis.call('ZADD', k_bulks, '+inf', id)
return 'OK'
