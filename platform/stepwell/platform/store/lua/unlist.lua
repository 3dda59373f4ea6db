--! Takes waits off the lists, whose runs are at home in another partition and do not wait any more. Answers how many.
--! args: now
--! item: word member
--! include: clock meta
--! allow-oom
now = clock(now)
if unknown_format() then return unknown_format() end
local count = 0
for word, member in items() do count = count + redis.call('ZREM', k_waits .. word, member) end
return count
