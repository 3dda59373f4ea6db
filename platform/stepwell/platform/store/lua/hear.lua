--! Notes events for those who will look back; answers for each its place and the first 64 waits it may end: {position, member...}.
--! args: now life:int most:int
--! item: word event position
--! include: clock meta
--! allow-oom
-- life: ms for which an event is kept. most: events that are kept under one word.
now = clock(now)
if unknown_format() then return unknown_format() end

--- Two events of different partitions may come with the same position; under one word each has one
-- of its own, and keeps it.
local function place(key, event, position)
  local known = redis.call('ZSCORE', key, event)
  if known then return string.format('%.0f', tonumber(known)) end
  local free = position
  while redis.call('ZCOUNT', key, free, free) > 0 do free = string.format('%.0f', tonumber(free) + 1) end
  redis.call('ZADD', key, free, event)
  redis.call('PEXPIRE', key, life)
  redis.call('ZREMRANGEBYRANK', key, 0, -most - 1)
  return free
end

local answers = {}
for word, event, position in items() do
  local bound = place(k_heard .. word, event, position)
  local answer = redis.call('ZRANGEBYSCORE', k_waits .. word, '-inf', '(' .. bound, 'LIMIT', 0, 64)
  table.insert(answer, 1, bound)
  answers[#answers + 1] = answer
end
return answers
