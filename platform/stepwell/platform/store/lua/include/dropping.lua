--- An event that is no longer in the log goes with the last of its runs.
local function drop_event(event, rid)
  local head = redis.call('GETRANGE', k_event .. event, 0, 0)
  if head ~= 'T' then return end
  local ids = string.match(redis.call('GET', k_event .. event), '^T %d+ %d+ (%S*)\n')
  for other in string.gmatch(ids or '', '[^,]+') do
    if other ~= rid and redis.call('EXISTS', k_run .. other) == 1 then return end
  end
  redis.call('UNLINK', k_event .. event)
end
