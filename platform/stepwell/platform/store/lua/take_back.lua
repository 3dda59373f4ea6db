--! Takes back what copy_events has put down for a run that is not created after all. Answers OK, or DUP (it exists).
--! args: now rid
--! item: event
--! include: clock meta
now = clock(now)
if unknown_format() then return unknown_format() end

local function forget_run(event)
  local head, ids, body = string.match(redis.call('GET', k_event .. event) or '', '^(%u %d+ %d+ )(%S*)(\n.*)$')
  local left = {}
  for id in string.gmatch(ids or '', '[^,]+') do if id ~= rid then left[#left + 1] = id end end
  if head then redis.call('SET', k_event .. event, head .. table.concat(left, ',') .. body) end
end

if redis.call('EXISTS', k_run .. rid) == 1 then return 'DUP' end
for event in items() do forget_run(event) end
redis.call('DEL', k_gathered .. rid)
return 'OK'
