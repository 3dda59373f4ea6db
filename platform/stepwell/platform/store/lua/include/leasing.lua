--! include: batch feed run scopes timers options describing counting
--- A ready run becomes that of `session`, by the call `call`; see lease.lua.
local VERSIONS = 20
-- By function: the version of its app in the session, or "".
local version_of = {}
--- Notes the version that a run executes on, once it is not all the time the one that it was created with.
local function note_version(run)
  local version = version_of[function_of(run.lane)] or ''
  local ran = run.ran or (run.started ~= '0' and run.version or '')
  if version == '' or (not run.ran and version == run.version) then return end
  if string.find(' ' .. ran .. ' ', ' ' .. version .. ' ', 1, true) then return end
  run.ran = ran == '' and version or ran .. ' ' .. version
  local _, count = string.gsub(run.ran, '%S+', '')
  if count > VERSIONS then run.ran = string.gsub(run.ran, '^%S+ ', '') end
  redis.call('HSET', k_run .. run.id, 'v', run.ran)
end

local begun_here = 0
local function begin(run)
  run.started = now
  begun_here = begun_here + 1
  count('started', run.lane)
  local within = option(run.options, 'finish')
  if within then
    arm_timer(run.id .. '~', now + within)
  elseif option(run.options, 'start') then
    disarm_timer(run.id .. '~')
  end
end

--- Whoever was leased before the header told when runs are made ready has been so since now.
local function begin_again(run)
  local first, ready = string.match(run.started, '^(%d+)%+?(%d*)')
  ready = ready == '' and math.max(0, now - first) or ready
  run.started = first .. '+' .. ready .. '+' .. math.max(0, now - first - ready)
end

local function take_slots(rid, scopes)
  if #scopes == 0 then return end
  local names = {}
  for index, scope in ipairs(scopes) do
    redis.call('ZADD', k_slots .. scope[1], now, rid)
    names[index] = scope[1]
  end
  redis.call('HSET', k_run .. rid, 'sl', table.concat(names, ' '))
end

--- Answers what the session is told of the run; nil when it is not to be leased any more.
local function lease_run(rid, scopes)
  local run = load_run(rid)
  if not run or run.status ~= 'queued' then return nil end
  set(run, 'status', 'running')
  run.token, run.seq, run.answer = call, '0', '-'
  note_version(run)
  if run.started == '0' then begin(run) else begin_again(run) end
  take_slots(rid, scopes)
  later('SADD', k_held .. session, rid)
  changed(rid, 'running')
  return describe(run)
end
