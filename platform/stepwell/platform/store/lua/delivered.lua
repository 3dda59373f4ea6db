--! Drops the rows of an outbox that their target has acknowledged. Answers how many are left.
--! args: now target
--! item: position
--! include: clock meta
--! allow-oom
now = clock(now)
if unknown_format() then return unknown_format() end
for position in items() do redis.call('XDEL', k_outbox .. target, position) end
local left = redis.call('XLEN', k_outbox .. target)
if left == 0 then
  redis.call('DEL', k_outbox .. target)
  redis.call('SREM', k_outboxes, target)
end
return left
