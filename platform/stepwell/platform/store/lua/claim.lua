--! Gives a signal to who waits for it. Answers per signal who has it now: another one, when that was not expected.
--! args: now
--! item: signal holder known life:int
--! include: clock meta
--! allow-oom
-- holder: or empty, to take it away. known: who may have it so far; * for whoever does. life: ms for which it is held.
now = clock(now)
if unknown_format() then return unknown_format() end

local function claim(signal, holder, known, life)
  local current = redis.call('GET', k_signal .. signal)
  if current and known ~= '*' and current ~= known then return current end
  if holder == '' then
    redis.call('DEL', k_signal .. signal)
  else
    redis.call('SET', k_signal .. signal, holder, 'PX', life)
  end
  return holder
end

local answers = {}
for signal, holder, known, life in items() do answers[#answers + 1] = claim(signal, holder, known, life) end
return answers
