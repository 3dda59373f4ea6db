--! include: lanes throttling leasing
--- Leasing from a lane, as far as there are slots and nothing else keeps it; one that may give no run is parked.

--- How many runs of a lane may start now; when none, the scope that is full.
local function free_of(scopes, wanted)
  for _, scope in ipairs(scopes) do
    local free = scope[2] - redis.call('ZCARD', k_slots .. scope[1])
    if free <= 0 then return 0, scope[1] end
    wanted = math.min(wanted, free)
  end
  return wanted, nil
end

local function park(lane, fn, full, scopes)
  redis.call('ZREM', k_lanes .. fn, lane)
  local paused = string.match(full, '^pause|(.*)$')
  -- Not before the pause itself, should time have gone back: see is_in_force.
  redis.call('ZADD', k_parked .. full, 'NX', paused and math.max(now, paused_since(paused)) or now, lane)
  redis.call('ZADD', k_blocked, 'NX', fact('registry'), full)
  -- This lane may have been called up for another scope's free slot; it cannot use it, so the next in line may.
  for _, scope in ipairs(scopes) do if scope[1] ~= full then free_scope(scope[1]) end end
end

--- How many runs a lane may give, of so many that there is a slot for, when some have to wait that have not begun; when
-- none, the scope that they wait for.
local function passing(lane, free, throttle, mode)
  local heads, ready = redis.call('ZRANGE', k_queue .. lane, 0, free - 1, 'WITHSCORES'), 0
  for index = 2, #heads, 2 do if tonumber(heads[index]) < 0 then ready = ready + 1 end end
  local starts = mode == 'hold' and 0 or math.min(#heads / 2 - ready, throttle and room_of(throttle) or free)
  if ready + starts > 0 or #heads == 0 then return ready + starts, nil end
  if mode == 'hold' then return 0, pause_scope(lane) end
  await_room(throttle, 0)
  return 0, throttle.scope
end

--- Leases the first runs of a lane; those that the answer has no room for stay. Answers how many were asked for.
local function lease_first(lane, count, scopes, answer)
  local popped = redis.call('ZPOPMIN', k_queue .. lane, count)
  for index = 1, #popped, 2 do
    if room > 0 then
      answer[#answer + 1] = lease_run(popped[index], scopes)
    else
      redis.call('ZADD', k_queue .. lane, popped[index + 1], popped[index])
    end
  end
  return #popped / 2
end

--- Leases up to `wanted` runs of a lane, whose virtual start time is `start`, and adds them to the answer.
local function drain(lane, fn, start, wanted, answer)
  local scopes, mode = scopes_of(lane), pause_of(base_of(fn))
  if mode == 'keep' then return park(lane, fn, pause_scope(lane), scopes) end
  local free, full = free_of(scopes, math.min(wanted, 64))
  if not full and (scopes.throttle or mode == 'hold') then free, full = passing(lane, free, scopes.throttle, mode) end
  if full then
    if not scopes.throttle or full ~= scopes.throttle.scope then pass_turn(scopes.throttle) end
    return park(lane, fn, full, scopes)
  end
  local before = begun_here
  local count = lease_first(lane, free, scopes, answer)
  if scopes.throttle then count_starts(scopes.throttle, begun_here - before) end
  facts.vt = math.max(fact('vt'), start)
  if redis.call('EXISTS', k_queue .. lane) == 0 then
    retire(lane)
    if scopes.throttle and room_of(scopes.throttle) > 0 then pass_turn(scopes.throttle) end
  else
    redis.call('ZADD', k_lanes .. fn, start + count, lane)
  end
  for _, scope in ipairs(scopes) do free_scope(scope[1]) end
end
