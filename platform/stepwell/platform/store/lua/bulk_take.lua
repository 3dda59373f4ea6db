--! Takes a bulk job to carry it on, or keeps it. Answers OK; HELD, by somebody else; or OVER.
--! args: now id token ttl:int
--! include: clock meta bulk
--! allow-oom
now = clock(now)
if unknown_format() then return unknown_format() end
local known = redis.call('HMGET', k_bulk .. id, 'state', 'owner', 'till')
local state, owner, till = known[1], known[2], tonumber(known[3] or 0)
if not bulk_goes_on(state) then return 'OVER' end
if owner and owner ~= token and till > now then return 'HELD' end
if state == 'stopping' then
  end_bulk(id, 'stopped')
  return 'OVER'
end
redis.call('HSET', k_bulk .. id, 'owner', token, 'till', now + ttl)
return 'OK'
