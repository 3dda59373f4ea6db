--! Records a durable wait when it is first reached. Answers the row as it stands, STALE or {LIMIT, what, size} per step.
--! args: now max_steps:int max_bytes:int
--! item: rid token seq key kind delay until payload
--! include: clock meta batch feed run steps timers owner commit_runs
--! allow-oom
-- One of delay (ms from now) and until (ms UTC) is given. What is armed already is never armed again.
now = clock(now)
if unknown_format() then return unknown_format() end

local function wait(run, key, kind, due, payload)
  local row = {state = 'pending', kind = kind, turn = 0, attempts = 0, started = now, ended = 0, due = due, payload = payload}
  if due <= now then
    row.state, row.turn, row.ended, row.due = 'done', turn_of(run), now, 0
  else
    set(run, 'pending', run.pending + 1)
    arm_timer(run.id .. '|' .. key, due)
  end
  count_row(run, nil, #payload)
  write_row(run.id, key, row)
  set(run, 'crashes', 0)
  changed(run.id, 'running')
end

local function arm(run, key, kind, delay, deadline, payload)
  local row = read_row(run.id, key)
  if row then return row.text end
  local over = over_limit(run, nil, #payload)
  if over then return over end
  wait(run, key, kind, deadline ~= '' and tonumber(deadline) or now + tonumber(delay), payload)
  return redis.call('HGET', k_steps .. run.id, key)
end

local answers = {}
for rid, token, seq, key, kind, delay, deadline, payload in items() do
  local run, answer = owned(rid, token, seq)
  if run then
    answer = arm(run, key, kind, delay, deadline, payload)
    saw(run, seq)
  end
  answers[#answers + 1] = answer
end
commit()
return answers
