--! Takes events of at least `age` ms out of the log, oldest first; those that still have runs stay for them. Answers how many.
--! args: now age:int limit:int
--! include: clock meta batch
--! allow-oom
now = clock(now)
if unknown_format() then return unknown_format() end

--- A run that an event has joined may have been for a later one in the end.
local function needs(rid, event)
  local info = redis.call('HGET', k_run .. rid, 'i')
  return info and (string.match(info, '^%S+ %S+ (%S+)') == event or redis.call('EXISTS', k_gathered .. rid) == 1)
end

local function wanted(ids, event)
  for rid in string.gmatch(ids, '[^,]+') do
    if needs(rid, event) then return true end
  end
  return false
end

local function time_of(position) return tonumber(string.match(position, '^%d+')) end

--- When the oldest row was written that still has to be delivered, and needs its event for that. Log and outboxes are
-- streams, which have their time from Redis whatever `now` is.
local function oldest_row()
  local oldest = math.huge
  for _, target in ipairs(redis.call('SMEMBERS', k_outboxes)) do
    local first = redis.call('XRANGE', k_outbox .. target, '-', '+', 'COUNT', 1)[1]
    if first then oldest = math.min(oldest, time_of(first[1])) end
  end
  return oldest
end

--- The position of the oldest event that has yet to be given to those who wait for it.
local function oldest_match() return tonumber(redis.call('ZRANGE', k_matches, 0, 0, 'WITHSCORES')[2]) or math.huge end

local undelivered, unheard = oldest_row(), oldest_match()
--- Answers false for the first event that is too young.
local function trim(position, event)
  local record = redis.call('GET', k_event .. event)
  local received, at, ids = string.match(record or 'L 0 0 \n', '^L (%d+) (%d+) (%S*)\n')
  if received and tonumber(received) > now - age then return false end
  if time_of(position) >= undelivered then return false end
  if received and tonumber(at) >= unheard then return false end
  if record and wanted(ids or '', event) then
    redis.call('SETRANGE', k_event .. event, 0, 'T')
  else
    redis.call('UNLINK', k_event .. event)
  end
  later('XDEL', k_log, position)
  return true
end

local count = 0
for _, entry in ipairs(redis.call('XRANGE', k_log, '-', '+', 'COUNT', limit)) do
  if not trim(entry[1], entry[2][2]) then break end
  count = count + 1
end
write_batches()
return count
