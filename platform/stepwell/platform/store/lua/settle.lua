--! Forgets errands that are done. Answers how many.
--! args: now
--! item: what who
--! include: clock meta
--! allow-oom
-- what: matches, ends or arming.
now = clock(now)
if unknown_format() then return unknown_format() end
local count = 0
for what, who in items() do
  if what == 'arming' then
    count = count + redis.call('HDEL', k_arming, who)
  else
    count = count + redis.call('ZREM', what == 'ends' and k_ends or k_matches, who)
  end
end
return count
