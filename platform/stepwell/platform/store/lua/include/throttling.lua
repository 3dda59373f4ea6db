--! include: lanes timers
--- Throttle: the generic cell rate algorithm (ITU-T I.371), whose only state is the time at which the next start would
-- be due if all had come evenly. A burst is how many intervals a start may be ahead of that. Who is called up is late by
-- some ms; those, unlike a pause, are made up for by the starts that follow, or there would be fewer than may be.
local LATE = 20
local function next_even(throttle)
  local even = tonumber(redis.call('GET', k_throttle .. throttle.scope) or nil)
  if not even then return now end
  -- After time went back it is no further ahead than it could have been.
  return math.max(now - LATE, math.min(even, now + throttle.interval * throttle.burst))
end

--- How many may start now.
local function room_of(throttle)
  -- Of two large times only the difference is exact enough, and that to some thousandths of a ms.
  local ahead = next_even(throttle) - now
  return math.floor((throttle.interval * throttle.burst - ahead + 0.001) / throttle.interval)
end

local function write_even(throttle, even)
  redis.call('SET', k_throttle .. throttle.scope, string.format('%.3f', even), 'PX', math.ceil(even - now) + 1000)
end

local function count_starts(throttle, count)
  if count == 0 then return end
  write_even(throttle, next_even(throttle) + count * throttle.interval)
end

--- What it may be ahead is written down, should it be less by now than it was: else it would be always as much.
-- starts: those that are about to be made.
local function await_room(throttle, starts)
  local even = next_even(throttle)
  write_even(throttle, even)
  local due = math.ceil(even - throttle.interval * (throttle.burst - 1 - starts))
  arm_timer('=' .. throttle.scope, math.max(now + 1, due))
end

--- The time has come for those who wait for room: as many lanes as may start a run. Of other scopes all that may be
-- there, if there is a slot: those called up before have not taken it.
local function end_of_wait(scope)
  local name = string.match(scope, '^[^|]*')
  local interval, burst = string.match(redis.call('HGET', k_limits, '#' .. name) or '', '^throttle (%S+) (%d+)$')
  if not interval then return unpark(scope, 64) end
  local throttle = {scope = scope, interval = tonumber(interval), burst = tonumber(burst)}
  local room = room_of(throttle)
  unpark(scope, room)
  if redis.call('EXISTS', k_parked .. scope) == 1 then await_room(throttle, room) end
end
