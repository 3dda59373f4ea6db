--! Takes events received before `before` out of the log, oldest first; those that still have runs stay for them. Answers how many.
--! args: now before:int limit:int
--! include: clock meta batch
--! allow-oom
now = clock(now)
if unknown_format() then return unknown_format() end

local function wanted(ids)
  for rid in string.gmatch(ids, '[^,]+') do
    if redis.call('EXISTS', k_run .. rid) == 1 then return true end
  end
  return false
end

--- Answers false for the first event that is too young.
local function trim(position, event)
  local record = redis.call('GET', k_event .. event)
  local received, ids = string.match(record or 'L 0 \n', '^L (%d+) (%S*)\n')
  if received and tonumber(received) >= before then return false end
  if record and wanted(ids or '') then
    redis.call('SET', k_event .. event, 'T' .. string.sub(record, 2))
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
