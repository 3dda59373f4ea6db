--! Forgets errands that are done. Answers 1 for each that there was.
--! args: now
--! item: what who
--! include: clock meta
--! allow-oom
-- what: matches, ends or arming.
now = clock(now)
if unknown_format() then return unknown_format() end

local answers = {}
for what, who in items() do
  if what == 'arming' then
    answers[#answers + 1] = redis.call('HDEL', k_arming, who)
  else
    answers[#answers + 1] = redis.call('ZREM', what == 'ends' and k_ends or k_matches, who)
  end
end
return answers
