--! Pauses or resumes functions. Answers the mode now in force, or "-", per function.
--! args: now
--! item: fn mode
--! include: clock meta batch feed run lanes commit
--! allow-oom
-- mode: keep, hold, drop, or "-" to resume; see include/pausing.lua.
now = clock(now)
if unknown_format() then return unknown_format() end

local function mark(fn, mode)
  if mode == '-' then
    redis.call('HDEL', k_paused, fn)
  elseif string.match(redis.call('HGET', k_paused, fn) or '', '^%w+') ~= mode then
    redis.call('HSET', k_paused, fn, mode .. ' ' .. now)
  end
  -- The first of the lanes that wait are called up here; the ticker sees to the rest.
  local scope = 'pause|' .. fn
  redis.call('ZADD', k_blocked, 'XX', 0, scope)
  unpark(scope)
  wake_ticker(now)
  return mode
end

local answers = {}
for fn, mode in items() do answers[#answers + 1] = mark(fn, mode) end
redis.call('HSET', k_meta, 'paused', redis.call('HLEN', k_paused))
facts.paused = nil
commit()
return answers
