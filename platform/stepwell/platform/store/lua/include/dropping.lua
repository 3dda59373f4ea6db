--- An event that is no longer in the log goes with the last of its runs; a run that is there yet is
-- for another one now.
local function drop_event(event, rid)
  if redis.call('GETRANGE', k_event .. event, 0, 0) ~= 'T' then return end
  local head, ids, rest = string.match(redis.call('GET', k_event .. event), '^(T %d+ %d+ )(%S*)(\n.*)$')
  local left, needed = {}, false
  for other in string.gmatch(ids or '', '[^,]+') do
    if other ~= rid then
      left[#left + 1] = other
      needed = needed or redis.call('EXISTS', k_run .. other) == 1
    end
  end
  if not needed then
    redis.call('UNLINK', k_event .. event)
  elseif redis.call('EXISTS', k_run .. rid) == 1 then
    redis.call('SET', k_event .. event, head .. table.concat(left, ',') .. rest)
  end
end
