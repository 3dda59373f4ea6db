--! Drops the rows of an outbox that their target has acknowledged. Answers how many are left.
--! args: now target
--! item: position event run told
--! include: clock meta
--! allow-oom
now = clock(now)
if unknown_format() then return unknown_format() end

--- What has become of a run is kept with its event: see include/keeping.lua.
local function tell_event(event, run, told)
  local record = redis.call('GET', k_event .. event)
  local head, ids, body = string.match(record or '', '^(%u %d+ %d+ )(%S*)(\n.*)$')
  local first, last = string.find(ids or '', run, 1, true)
  if not first then return end
  redis.call('SET', k_event .. event, head .. string.sub(ids, 1, first - 1) .. told .. string.sub(ids, last + 1) .. body)
end

for position, event, run, told in items() do
  if told ~= '' then tell_event(event, run, told) end
  redis.call('XDEL', k_outbox .. target, position)
end
local left = redis.call('XLEN', k_outbox .. target)
if left == 0 then
  redis.call('DEL', k_outbox .. target)
  redis.call('SREM', k_outboxes, target)
end
return left
