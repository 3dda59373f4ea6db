--! Removes bulk jobs that ended at least `age` ms ago, or have more than `most` behind them; the oldest first. Answers how many.
--! args: now age:int most:int limit:int
--! include: clock meta
--! allow-oom
now = clock(now)
if unknown_format() then return unknown_format() end
local ids = redis.call('ZRANGEBYSCORE', k_bulks, '-inf', now - age, 'LIMIT', 0, limit)
local spare = math.min(redis.call('ZCOUNT', k_bulks, '-inf', '(+inf') - most, limit)
if #ids < spare then ids = redis.call('ZRANGEBYSCORE', k_bulks, '-inf', '(+inf', 'LIMIT', 0, spare) end
for _, id in ipairs(ids) do
  redis.call('UNLINK', k_bulk .. id, k_handled .. id)
  redis.call('ZREM', k_bulks, id)
end
return #ids
