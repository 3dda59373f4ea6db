--! Forgets errands that are done. Answers 1 for each that there was.
--! args: now
--! item: what who
--! include: clock meta
--! allow-oom
-- what: matches, ends, strays or arming.
now = clock(now)
if unknown_format() then return unknown_format() end

local sets, answers = {matches = k_matches, ends = k_ends, strays = k_strays}, {}
for what, who in items() do
  if what == 'arming' then
    answers[#answers + 1] = redis.call('HDEL', k_arming, who)
  else
    answers[#answers + 1] = redis.call('ZREM', sets[what], who)
  end
end
return answers
