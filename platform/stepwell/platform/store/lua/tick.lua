--! Fires due timers, reaps dead sessions. Answers {timers fired, sessions reaped, ms until there is more to do}.
--! args: now limit:int crash_limit:int expiry:int patience:int idle:int
--! include: clock batch feed run lanes steps ending owner noting ready resolving reaping cancelling gathering throttling commit
--! allow-oom
-- limit: of timers a call. patience: ms an owner has to let go of a run that is cancelled. expiry: ms of silence after
-- which a session is dead. idle: the longest answer, in ms.
now = clock(now)
if unknown_format() then return unknown_format() end

local GAP, TOMBSTONE_LIFE = 2000, 30 * 86400000
-- Nobody could beat while Redis, or every machine, stood still: give all a full period before any is declared dead.
if now - fact('ticked') > GAP or now < fact('ticked') then
  facts.grace = now + expiry
  redis.call('HSET', k_meta, 'grace', facts.grace)
  -- After time went back, what was to expire soon would live on for as long as it went back.
  for _, session in ipairs(redis.call('ZRANGEBYSCORE', k_sessions, '(' .. facts.grace, '+inf')) do
    redis.call('ZADD', k_sessions, facts.grace, session)
  end
  -- And who waits for a throttle would wait as long: all are called up below, and find out anew.
  if now < fact('ticked') then redis.call('ZUNIONSTORE', k_blocked, 1, k_blocked, 'WEIGHTS', 0) end
end

local function fire_body(run)
  -- A wait that ended in this very call may have made it ready already.
  if run.notbefore == 0 then return end
  set(run, 'notbefore', 0)
  if run.status == 'waiting' then return make_ready(run) end
  if run.status ~= 'queued' then return end
  if gathers(run.options) then close_gathering(run) end
  enqueue(run, rank_of(run))
end

local function fire_cancel(run)
  if run.status ~= 'running' then return end
  -- Whoever asked may not know how long an owner has: see refusing.lua.
  if now < run.cancel + patience then return arm_timer(run.id .. '!', run.cancel + patience) end
  local session = session_of(run.token)
  later('SREM', k_held .. session, run.id)
  later('SADD', k_news .. session, run.id .. '|')
  tell(session)
  note_turn(run, 'c')
  set(run, 'token', '-')
  end_run(run, 'cancelled', '')
end

local function fire_step(run, key)
  local row = read_row(run.id, key)
  if not row or row.due == 0 then return end
  local state, payload = when_due(row)
  resolve_step(run, key, row, state, payload)
end

--- A run that has not begun, or not ended, in its time.
local function fire_deadline(run)
  local what = run.started == '0' and 'start' or 'finish'
  local within = tonumber(option(run.options, what) or nil)
  if not within then return end
  cancel_run(run, '{"type":"Timeout","message":"it did not ' .. what .. ' within ' .. within / 1000 ..
    ' s, the ' .. what .. ' of its Timeouts","traceback":[]}', patience)
end

local function fire(member)
  if string.sub(member, 1, 1) == '=' then return end_of_wait(string.sub(member, 2)) end
  local rid, mark, key = string.match(member, '^(%w+)([|!~])(.*)$')
  local run = load_run(rid)
  if not run or (run.status ~= 'running' and run.status ~= 'waiting' and run.status ~= 'queued') then return end
  if mark == '!' then return fire_cancel(run) end
  if mark == '~' then return fire_deadline(run) end
  if key == '' then return fire_body(run) end
  fire_step(run, key)
end

local due = redis.call('ZRANGEBYSCORE', k_timers, '-inf', now, 'LIMIT', 0, limit)
-- Before they fire: what fires may arm its timer anew.
if #due > 0 then redis.call('ZREM', k_timers, unpack(due)) end
for _, member in ipairs(due) do fire(member) end

-- News for a session goes before the session.
write_batches()
local reaped = 0
if now >= fact('grace') then
  for _, session in ipairs(redis.call('ZRANGEBYSCORE', k_sessions, '-inf', now - 1, 'LIMIT', 0, 4)) do
    -- In one that begins so, no code of users runs: its end says nothing against its runs.
    reap_session(session, string.sub(session, 1, 1) ~= '~', crash_limit, 16)
    reaped = reaped + 1
  end
end
local blocked = redis.call('ZRANGEBYSCORE', k_blocked, '-inf', '(' .. fact('registry'), 'LIMIT', 0, 16)
for _, scope in ipairs(blocked) do review(scope) end
redis.call('ZREMRANGEBYSCORE', k_dead, '-inf', now - TOMBSTONE_LIFE)
redis.call('ZREMRANGEBYSCORE', k_tombstones, '-inf', now - 2 * 86400000)
commit()

local wait = idle
local head = redis.call('ZRANGE', k_timers, 0, 0, 'WITHSCORES')
if head[2] then wait = math.min(wait, math.max(0, tonumber(head[2]) - now)) end
if reaped > 0 or #blocked > 0 then wait = 0 end
redis.call('HSET', k_meta, 'ticked', now, 'next', now + wait)
return {#due, reaped, wait}
