--! Notes events for those who will look back, and answers for each the first 64 open waits that it may end: {member, ...}.
--! args: now life:int most:int
--! item: word event position
--! include: clock meta
--! allow-oom
-- life: ms for which an event is kept. most: events that are kept under one word.
now = clock(now)
if unknown_format() then return unknown_format() end

local answers = {}
for word, event, position in items() do
  redis.call('ZADD', k_heard .. word, position, event)
  redis.call('PEXPIRE', k_heard .. word, life)
  redis.call('ZREMRANGEBYRANK', k_heard .. word, 0, -most - 1)
  answers[#answers + 1] = redis.call('ZRANGEBYSCORE', k_waits .. word, '-inf', '(' .. position, 'LIMIT', 0, 64)
end
return answers
