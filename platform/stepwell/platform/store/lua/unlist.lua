--! Takes waits off the lists, whose runs are at home in another partition and do not wait any more. Answers 1 for each that was on it.
--! args: now
--! item: word member
--! include: clock meta
--! allow-oom
now = clock(now)
if unknown_format() then return unknown_format() end

local answers = {}
for word, member in items() do answers[#answers + 1] = redis.call('ZREM', k_waits .. word, member) end
return answers
