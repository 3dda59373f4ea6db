--! include: scopes timers
--- Lanes that are parked behind a scope that is full, throttled or paused, and those that are called up from there.
local function activate(lane)
  redis.call('ZADD', k_lanes .. function_of(lane), 'NX', fact('vt'), lane)
  wake(function_of(lane))
end

--- Hands the free slots of a scope to the lanes parked on it, oldest first. A lane that no longer has runs passes its
-- turn on, and so does one of suspects: it is called up, but those who serve suspects may not come for a while.
local RECALL = 1000
local function unpark(scope, most)
  local limit = limit_of(scope)
  -- Should more be free, the lanes called up pass that on when runs of theirs are leased.
  local free = limit and limit - redis.call('ZCARD', k_slots .. scope) or 64
  if free <= 0 then return end
  free = math.min(64, most or free)
  while free > 0 do
    local lane = redis.call('ZPOPMIN', k_parked .. scope)[1]
    if not lane then break end
    if redis.call('EXISTS', k_queue .. lane) == 1 then
      activate(lane)
      if base_of(function_of(lane)) == function_of(lane) then free = free - 1 end
    end
  end
  if redis.call('EXISTS', k_parked .. scope) == 0 then
    redis.call('ZREM', k_blocked, scope)
  elseif limit then
    -- Those who serve the lanes called up may be gone. Should a slot still be free then, others are.
    redis.call('ZADD', k_timers, now + RECALL, '=' .. scope)
    wake_ticker(now + RECALL)
  end
end

--- Whether lanes may still be parked by a scope as it is; by a pause, those may that were parked since it is so.
local function is_in_force(scope)
  local paused = string.match(scope, '^pause|(.*)$')
  if paused then
    local mode, since = string.match(redis.call('HGET', k_paused, paused) or '', '^(%w+) (%d+)$')
    local parked = redis.call('ZRANGE', k_parked .. scope, 0, 0, 'WITHSCORES')[2]
    return mode and mode ~= 'drop' and tonumber(parked) >= tonumber(since)
  end
  return redis.call('HEXISTS', k_limits, '#' .. string.match(scope, '^[^|]*')) == 1
end

--- Calls up the lanes of a scope by the limits now in force: those it was parked by may have been raised or taken away.
local function review(scope)
  unpark(scope)
  if redis.call('EXISTS', k_parked .. scope) == 0 then
    redis.call('ZREM', k_blocked, scope)
  elseif is_in_force(scope) then
    redis.call('ZADD', k_blocked, fact('registry'), scope)
  end
end

local function unpark_lane(lane, scope)
  if redis.call('ZREM', k_parked .. scope, lane) == 0 or redis.call('EXISTS', k_parked .. scope) == 1 then return end
  redis.call('ZREM', k_blocked, scope)
end

--- Takes an empty lane out of every index; the scopes it was parked on are left to others.
local function retire(lane)
  redis.call('ZREM', k_lanes .. function_of(lane), lane)
  local scopes = scopes_of(lane)
  for _, scope in ipairs(scopes) do unpark_lane(lane, scope[1]) end
  if scopes.throttle then unpark_lane(lane, scopes.throttle.scope) end
  if fact('paused') > 0 then unpark_lane(lane, pause_scope(lane)) end
end

--- A throttle calls up no more lanes than may start a run: one that does not has the next called up.
local function pass_turn(throttle)
  if not throttle or redis.call('EXISTS', k_parked .. throttle.scope) == 0 then return end
  later('ZADD', k_timers, now, '=' .. throttle.scope)
  wake_ticker(now)
end
