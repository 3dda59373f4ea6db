--! Forgets errands that are done. Answers how many.
--! args: now
--! item: what who
--! include: clock meta
--! allow-oom
-- what: matches, ends, strays or arming.
now = clock(now)
if unknown_format() then return unknown_format() end
local sets, count = {matches = k_matches, ends = k_ends, strays = k_strays}, 0
for what, who in items() do
  if what == 'arming' then
    count = count + redis.call('HDEL', k_arming, who)
  else
    count = count + redis.call('ZREM', sets[what], who)
  end
end
return count
