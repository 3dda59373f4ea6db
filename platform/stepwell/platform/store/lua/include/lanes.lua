--! include: pausing timers
--- Lanes: where ready runs wait, who may be leased from, and who is parked behind a full scope.
local function function_of(lane) return string.match(lane, '^[^|]+') end
local function base_of(fn) return (string.gsub(fn, '!$', '')) end
--- A run that was executing when its sessions died, twice in a row, is a suspect: it waits in a lane marked "!", to be
-- leased alone. Once may be the fault of any run beside it.
local function lane_of(run)
  if run.crashes < 2 then return run.lane end
  return (string.gsub(run.lane, '^[^|]+', '%0!', 1))
end

--- The scopes a lane's runs need a slot of: {{scope, limit}, ...}, in the order of the function's constraints.
local scope_cache = {}
local function scopes_of(lane)
  local scopes = scope_cache[lane]
  if scopes then return scopes end
  scopes = {}
  local names = redis.call('HGET', k_limits, base_of(function_of(lane)))
  if names then
    local values = {}
    for value in string.gmatch(lane, '|([^|]*)') do values[#values + 1] = value end
    local index = 0
    for name in string.gmatch(names, '%S+') do
      index = index + 1
      local rule = redis.call('HGET', k_limits, '#' .. name) or ''
      local scope, limit = name .. '|' .. (values[index] or ''), tonumber(rule)
      if limit then scopes[#scopes + 1] = {scope, limit} end
      local interval, burst = string.match(rule, '^throttle (%S+) (%d+)$')
      if interval then scopes.throttle = {scope = scope, interval = tonumber(interval), burst = tonumber(burst)} end
    end
  end
  scope_cache[lane] = scopes
  return scopes
end

local function pause_scope(lane) return 'pause|' .. base_of(function_of(lane)) end
--- Whether runs of a lane that have not begun may have to wait although those that have may go on.
local function is_gated(lane) return scopes_of(lane).throttle or pause_of(base_of(function_of(lane))) end

local function activate(lane)
  redis.call('ZADD', k_lanes .. function_of(lane), 'NX', fact('vt'), lane)
  wake(function_of(lane))
end

local function limit_of(scope) return tonumber(redis.call('HGET', k_limits, '#' .. string.match(scope, '^[^|]*')) or nil) end

--- Hands the free slots of a scope to the lanes parked on it, oldest first. A lane that no longer has runs passes its turn
-- on, and so does one of suspects: it is called up, but those who serve suspects may not come for a while.
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

--- Whether lanes may still be parked by a scope as it is. By a pause, those may that were parked since it is what it is.
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

-- Kept in order: what a script does must not depend on how Lua happens to iterate over a table.
local entering, entered, begun, freed, freed_scopes = {}, {}, {}, {}, {}
local function free_scope(scope)
  if freed[scope] then return end
  freed[scope] = true
  freed_scopes[#freed_scopes + 1] = scope
end

local function enqueue(run, rank)
  local lane = lane_of(run)
  local queue = entering[lane]
  if not queue then
    queue = {}
    entering[lane] = queue
    entered[#entered + 1] = lane
  end
  queue[#queue + 1] = rank
  queue[#queue + 1] = run.id
  begun[lane] = begun[lane] or rank < 0
end

--- A run that entered its lane in this very call is not there yet.
local function stay_out(run, lane)
  local queue = entering[lane] or {}
  for index = #queue, 2, -2 do
    if queue[index] == run.id then
      table.remove(queue, index)
      table.remove(queue, index - 1)
    end
  end
end

local function leave_queue(run)
  local lane = lane_of(run)
  stay_out(run, lane)
  if redis.call('ZREM', k_queue .. lane, run.id) == 0 then return end
  if redis.call('EXISTS', k_queue .. lane) == 1 then return end
  retire(lane)
  local scopes = scopes_of(lane)
  for _, scope in ipairs(scopes) do free_scope(scope[1]) end
  pass_turn(scopes.throttle)
end

local function free_slots(run)
  if not run.scopes then return end
  for scope in string.gmatch(run.scopes, '%S+') do
    redis.call('ZREM', k_slots .. scope, run.id)
    free_scope(scope)
  end
  redis.call('HDEL', k_run .. run.id, 'sl')
  run.scopes = false
end

--- Gives what was freed so far to those who wait for it.
local function hand_on()
  local scopes = freed_scopes
  freed, freed_scopes = {}, {}
  for _, scope in ipairs(scopes) do unpark(scope) end
end

local function write_lanes()
  for _, lane in ipairs(entered) do
    local queue = entering[lane]
    local idle = redis.call('EXISTS', k_queue .. lane) == 0
    for first = 1, #queue, 1000 do
      redis.call('ZADD', k_queue .. lane, unpack(queue, first, math.min(first + 999, #queue)))
    end
    if #queue > 0 and (idle or (begun[lane] and is_gated(lane))) then activate(lane) end
  end
  hand_on()
end
