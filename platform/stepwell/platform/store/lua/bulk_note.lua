--! Notes how far a bulk job has come. Answers OK; OVER, when it has ended; or LOST, when somebody else has it by now.
--! args: now id token ttl:int seq:int cursor todo searched:int total:int undecided:int matched:int ending problem keep:int most:int
--! item: rid made reason
--! include: clock meta bulk
--! allow-oom
-- seq: one more than that of the note before. searched, undecided, matched: of a new page. ending: done or failed, or
-- empty. keep: ids of runs that are kept. most: reasons that are kept apart.
-- made: the run that is to be kept. reason: why the run was refused, or empty.
now = clock(now)
if unknown_format() then return unknown_format() end
local key = k_bulk .. id
local known = redis.call('HMGET', key, 'state', 'owner', 'seq', 'reasons')
local state, owner, last, reasons = known[1], known[2], tonumber(known[3] or 0), tonumber(known[4] or 0)
if not bulk_goes_on(state) then return 'OVER' end
if owner ~= token then return 'LOST' end

--- The name under which a reason is counted.
local function counted_as(reason)
  if redis.call('HEXISTS', key, 'r:' .. reason) == 1 then return reason end
  if reasons >= most then return 'for another reason' end
  reasons = reasons + 1
  redis.call('HSET', key, 'reasons', reasons)
  return reason
end

local function refuse(rid, reason)
  reason = counted_as(reason)
  redis.call('HINCRBY', key, 'refused', 1)
  if redis.call('HINCRBY', key, 'r:' .. reason, 1) <= 3 then
    local shown = redis.call('HGET', key, 'x:' .. reason)
    redis.call('HSET', key, 'x:' .. reason, shown and shown .. ' ' .. rid or rid)
  end
end

local function add(field, count)
  if count > 0 then redis.call('HINCRBY', key, field, count) end
end

local function write()
  redis.call('HSET', key, 'seq', seq, 'cursor', cursor, 'todo', todo)
  if total > 0 then redis.call('HSETNX', key, 'total', total) end
  add('searched', searched)
  add('undecided', undecided)
  add('matched', matched)
  for rid, made, reason in items() do
    if reason ~= '' then
      refuse(rid, reason)
    else
      redis.call('HINCRBY', key, 'done', 1)
      if redis.call('LLEN', k_handled .. id) < keep then redis.call('RPUSH', k_handled .. id, made) end
    end
  end
end

-- A repeated call, whose answer was lost, has been written.
if seq > last then write() end
if ending ~= '' then
  if problem ~= '' then redis.call('HSET', key, 'problem', problem) end
  end_bulk(id, ending)
  return 'OVER'
elseif state == 'stopping' then
  end_bulk(id, 'stopped')
  return 'OVER'
end
redis.call('HSET', key, 'till', now + ttl)
return 'OK'
