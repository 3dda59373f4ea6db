--! Leases up to `n` ready runs to a session. Answers DEAD, or {OK, more, run...}; a repeated call gets the same runs.
--! args: now session call expiry:int n:int
--! item: fn version
--! include: clock meta batch feed run lanes timers options throttling commit
--! allow-oom
-- call: unique in the session, and the token of every run leased by it. expiry: ms until the session is dead unless it beats.
-- fn: the functions the session serves; "fn!" are the suspects of fn. version: of its app there, or empty.
-- more: 1 when lanes were left for want of room. A run: {id, token, header fields..., event record, step rows or 0 when large}.
now = clock(now)
if unknown_format() then return unknown_format() end
if redis.call('ZSCORE', k_dead, session) then return {'DEAD'} end

-- ROW: about what a step's key and the head of its row add to its payload.
local SMALL, ROW = 65536, 128
local room = 1048576

local function describe(run)
  local record = redis.call('GET', k_event .. run.event) or ''
  local rows, size = {}, run.bytes + ROW * run.steps
  if size > SMALL then rows, size = 0, 0 elseif size > 0 then rows = redis.call('HGETALL', k_steps .. run.id) end
  room = room - #record - size - 512
  local many = option(run.options, 'batch') or option(run.options, 'many')
  local gathered = many and redis.call('LRANGE', k_gathered .. run.id, 0, -1) or {}
  return {run.id, run.token, run.lane, run.turn, run.steps, run.attempt, run.crashes, run.version, run.event, record, rows, gathered}
end

local VERSIONS = 20
local version_of = {}
--- Notes the version that a run executes on, once it is not all the time the one that it was created with.
local function note_version(run)
  local version = version_of[function_of(run.lane)] or ''
  local ran = run.ran or (run.started ~= '0' and run.version or '')
  if version == '' or (not run.ran and version == run.version) or string.find(' ' .. ran .. ' ', ' ' .. version .. ' ', 1, true) then
    return
  end
  run.ran = ran == '' and version or ran .. ' ' .. version
  local _, count = string.gsub(run.ran, '%S+', '')
  if count > VERSIONS then run.ran = string.gsub(run.ran, '^%S+ ', '') end
  redis.call('HSET', k_run .. run.id, 'v', run.ran)
end

local begun_here = 0
local function begin(run)
  run.started = now
  begun_here = begun_here + 1
  local within = option(run.options, 'finish')
  if within then
    arm_timer(run.id .. '~', now + within)
  elseif option(run.options, 'start') then
    disarm_timer(run.id .. '~')
  end
end

local function lease_run(rid, scopes)
  local run = load_run(rid)
  if not run or run.status ~= 'queued' then return nil end
  set(run, 'status', 'running')
  run.token, run.seq, run.answer = call, '0', '-'
  note_version(run)
  if run.started == '0' then begin(run) end
  for _, scope in ipairs(scopes) do redis.call('ZADD', k_slots .. scope[1], now, rid) end
  if #scopes > 0 then
    local names = {}
    for index, scope in ipairs(scopes) do names[index] = scope[1] end
    redis.call('HSET', k_run .. rid, 'sl', table.concat(names, ' '))
  end
  later('SADD', k_held .. session, rid)
  changed(rid, 'running')
  return describe(run)
end

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

local answer = {'OK', 0}
local function drain(lane, fn, start, wanted)
  local scopes, mode = scopes_of(lane), pause_of(base_of(fn))
  if mode == 'keep' then return park(lane, fn, pause_scope(lane), scopes) end
  local free, full = free_of(scopes, math.min(wanted, 64))
  if not full and (scopes.throttle or mode == 'hold') then free, full = passing(lane, free, scopes.throttle, mode) end
  if full then
    if not scopes.throttle or full ~= scopes.throttle.scope then pass_turn(scopes.throttle) end
    return park(lane, fn, full, scopes)
  end
  local popped, before = redis.call('ZPOPMIN', k_queue .. lane, free), begun_here
  for index = 1, #popped, 2 do
    if room > 0 then
      answer[#answer + 1] = lease_run(popped[index], scopes)
    else
      redis.call('ZADD', k_queue .. lane, popped[index + 1], popped[index])
    end
  end
  if scopes.throttle then count_starts(scopes.throttle, begun_here - before) end
  facts.vt = math.max(fact('vt'), start)
  if redis.call('EXISTS', k_queue .. lane) == 0 then
    retire(lane)
    if scopes.throttle and room_of(scopes.throttle) > 0 then pass_turn(scopes.throttle) end
  else
    redis.call('ZADD', k_lanes .. fn, start + #popped / 2, lane)
  end
  for _, scope in ipairs(scopes) do free_scope(scope[1]) end
end

--- Start-time fair queueing (Goyal, Vin, Cheng 1996): the lane with the least virtual start time goes next.
-- The first lane of a function is looked up anew only when something was taken from its lanes: there may be 64 functions.
local active, firsts = {}, {}
local function first_of(fn)
  if firsts[fn] == nil then
    local head = redis.call('ZRANGE', k_lanes .. fn, 0, 0, 'WITHSCORES')
    firsts[fn] = head[1] and {fn = fn, vt = tonumber(head[2]), lane = head[1], lanes = redis.call('ZCARD', k_lanes .. fn)}
      or false
  end
  return firsts[fn]
end

local function next_lane()
  local best, lanes, left = nil, 0, {}
  for _, fn in ipairs(active) do
    local first = first_of(fn)
    if first then
      left[#left + 1] = fn
      lanes = lanes + first.lanes
      if not best or first.vt < best.vt then best = first end
    end
  end
  active = left
  return best, lanes
end

local functions = {}
for fn, version in items() do
  functions[#functions + 1] = fn
  version_of[base_of(fn)] = version
end

--- Whoever leases for a session asks for functions of its own, one call at a time: so each has a last call to remember.
local function repeated()
  local last = redis.call('HGET', k_session .. session, functions[1])
  if not last or string.match(last, '^%S+') ~= call then return false end
  for rid in string.gmatch(last, ' (%S+)') do
    local run = load_run(rid)
    if run and run.status == 'running' and run.token == call then answer[#answer + 1] = describe(run) end
  end
  return true
end

redis.call('ZADD', k_sessions, now + expiry, session)
if repeated() then return answer end

local function seek()
  local best, lanes = next_lane()
  if best or #freed_scopes == 0 then return best, lanes end
  hand_on()
  active, firsts = functions, {}
  return next_lane()
end

active = functions
local vt = fact('vt')
for _ = 1, 64 do
  local wanted = n - (#answer - 2)
  if wanted <= 0 or room <= 0 then break end
  local best, lanes = seek()
  if not best then break end
  drain(best.lane, best.fn, best.vt, math.ceil(wanted / lanes))
  firsts[best.fn] = nil
end
if seek() then answer[2] = 1 end
if #answer > 2 then
  local last = {call}
  for index = 3, #answer do last[index - 1] = answer[index][1] end
  redis.call('HSET', k_session .. session, functions[1], table.concat(last, ' '))
end
if fact('vt') ~= vt then redis.call('HSET', k_meta, 'vt', fact('vt')) end
commit()
return answer
