--! Records a durable wait when it is first reached. Answers the row as it stands, STALE or {LIMIT, what, size} per step.
--! args: now max_steps:int max_bytes:int
--! item: rid token seq key kind delay until listings marks child elsewhere payload
--! include: clock meta batch feed progress steps timers owner position commit_runs
--! allow-oom
-- One of delay (ms from now) and until (ms UTC) is given. What is armed already is never armed again.
-- A wait for something that comes from elsewhere says what has to be done there, in `elsewhere`;
-- that is kept until it is.
-- child: the run that a step invokes, and the version of the registry by which it was found out where that lives; or empty.
-- When that version is not in force here, the answer is RELOAD, and nothing is written.
-- listings: of a wait for events, see listing.lua; marks: theirs, whose last positions are noted in front of
-- `elsewhere`, and behind them the position behind which an event of this moment would be.
now = clock(now)
if unknown_format() then return unknown_format() end

local function owe(run, key, listings, marks, elsewhere)
  local seen = {}
  for mark in string.gmatch(marks, '%S+') do seen[#seen + 1] = redis.call('HGET', k_run .. run.id, 'w:' .. mark) or '0' end
  seen[#seen + 1] = string.format('%.0f', position_now())
  redis.call('HSET', k_arming, run.id .. '|' .. key, table.concat(seen, ' ') .. '\n' .. elsewhere)
  if listings ~= '' then redis.call('HSET', k_run .. run.id, 'l:' .. key, listings) end
end

local function wait(run, key, kind, due, payload)
  local row = {state = 'pending', kind = kind, turn = 0, attempts = 0, started = now, ended = 0, due = due, payload = payload}
  if due <= now then
    row.state, row.payload = when_due(row)
    row.turn, row.ended, row.due = turn_of(run), now, 0
  else
    set(run, 'pending', run.pending + 1)
    arm_timer(run.id .. '|' .. key, due)
  end
  count_row(run, nil, #row.payload)
  write_row(run.id, key, row)
  set(run, 'crashes', 0)
  changed(run.id, 'running')
  return row.state == 'pending'
end

local function arm(run, key, kind, delay, deadline, listings, marks, child, elsewhere, payload)
  local row = read_row(run.id, key)
  if row then return row.text end
  local over = over_limit(run, nil, #payload)
  if over then return over end
  local invoked, version
  if child ~= '' then
    invoked, version = string.match(child, '^(%S+) (%d+)$')
    if tonumber(version) ~= fact('registry') then return 'RELOAD' end
  end
  -- Numbers of 15 digits would be written with an exponent, which nobody could read.
  local due = math.min(deadline ~= '' and tonumber(deadline) or now + tonumber(delay), 99999999999999)
  local waits = wait(run, key, kind, due, payload)
  if invoked then redis.call('HSET', k_run .. run.id, 'k:' .. key, invoked) end
  if waits and elsewhere ~= '' then owe(run, key, listings, marks, elsewhere) end
  return redis.call('HGET', k_steps .. run.id, key)
end

local answers = {}
for rid, token, seq, key, kind, delay, deadline, listings, marks, child, elsewhere, payload in items() do
  local run, answer = owned(rid, token, seq)
  if run then
    answer = arm(run, key, kind, delay, deadline, listings, marks, child, elsewhere, payload)
    saw(run, seq)
  end
  answers[#answers + 1] = answer
end
commit()
return answers
