--- A dead session's runs go back to their lanes. Those that were executing are suspects, and fail
-- when it happens too often.
local function crashed(run, crash_limit)
  set(run, 'crashes', run.crashes + 1)
  if run.crashes <= crash_limit then return false end
  end_run(run, 'failed', '{"type":"Crashed","message":"its worker process died ' .. run.crashes ..
    ' times in a row while this run was executing (STEPWELL_CRASH_LIMIT is ' .. crash_limit .. ')","traceback":[]}')
  return true
end

--- Whether an attempt has ended after its session told of it last.
local function is_over(run, key, attempt)
  local row = read_row(run.id, key)
  return row and row.attempts >= attempt
end

--- The steps that the session is known to have been executing count no attempt, but it is told that there was one.
local LOST = '{"type":"Crashed","message":"its worker died while this was executing","traceback":[]}'
local function note_steps(run, session)
  local known = redis.call('HGETALL', k_executing .. session)
  for index = 1, #known, 2 do
    local rid, key = string.match(known[index], '^(%w+)|(.*)$')
    local attempt, since = string.match(known[index + 1], '^(%d+) (%d+)$')
    if rid == run.id and not is_over(run, key, tonumber(attempt)) then
      note(rid, 't ' .. now .. ' ' .. math.max(0, now - since) .. ' ' .. attempt .. ' 0 ' .. #key .. '\n' .. key .. LOST)
    end
  end
end

local function take_back(rid, session, executing, crash_limit)
  later('SREM', k_held .. session, rid)
  local run = load_run(rid)
  if not run or run.status ~= 'running' or session_of(run.token) ~= session then return end
  if executing then note_steps(run, session) end
  note_turn(run, executing and 'x' or 'r')
  set(run, 'token', '-')
  free_slots(run)
  if executing and crashed(run, crash_limit) then return end
  if run.cancel > 0 then return end_run(run, 'cancelled', '') end
  make_ready(run)
end

--- Writes the tombstone first: from here on the session can lease nothing more, and its held set only shrinks.
local function bury(session)
  if redis.call('ZSCORE', k_dead, session) then return end
  redis.call('ZADD', k_dead, now, session)
  redis.call('ZADD', k_sessions, 0, session)
end

local function forget(session)
  redis.call('ZREM', k_sessions, session)
  redis.call('DEL', k_held .. session, k_news .. session, k_session .. session, k_executing .. session, k_card .. session)
end

--- Takes back up to `limit` runs; answers how many are left.
local function reap_session(session, executing, crash_limit, limit)
  bury(session)
  local rids = redis.call('SRANDMEMBER', k_held .. session, limit)
  for _, rid in ipairs(rids) do take_back(rid, session, executing, crash_limit) end
  local left = redis.call('SCARD', k_held .. session) - #rids
  if left == 0 then forget(session) end
  return left
end
