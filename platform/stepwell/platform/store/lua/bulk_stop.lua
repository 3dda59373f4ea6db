--! Has a bulk job stop: who carries it on ends it, or who takes it next. Answers OK, OVER or GONE.
--! args: now id
--! include: clock meta bulk
--! allow-oom
now = clock(now)
if unknown_format() then return unknown_format() end
local state = redis.call('HGET', k_bulk .. id, 'state')
if not state then return 'GONE' end
if not bulk_goes_on(state) then return 'OVER' end
redis.call('HSET', k_bulk .. id, 'state', 'stopping')
return 'OK'
