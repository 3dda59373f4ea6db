--! Records outcomes of steps under a live token, once each. Answers the turn, STALE, CONFLICT or {LIMIT, what, size} per step.
--! args: now max_steps:int max_bytes:int
--! item: rid token seq key kind state attempts took:int payload
--! include: clock meta batch feed progress steps timers owner noting counting commit_runs
--! allow-oom
-- state: done or failed. took: ms the body ran. A step that has an outcome keeps it: the answer is
-- the turn of that one.
now = clock(now)
if unknown_format() then return unknown_format() end

--- What is beside the head is read for the few that fail.
local function count_failed(run)
  count('failed_steps', string.match(redis.call('HGET', k_run .. run.id, 'i'), '^%S+ %S+ %S+ (%S+)'))
end

--- A step that was tried before, or whose outcome is recorded already.
local function replace(run, key, kind, state, attempts, took, payload, over)
  local row = read_row(run.id, key)
  if not row then return over end
  if row.state == 'done' or row.state == 'failed' then return row.turn end
  if row.state == 'pending' then return 'CONFLICT' end
  over = over_limit(run, row, #payload)
  if over then return over end
  count_row(run, row, #payload)
  if row.due > 0 then
    set(run, 'pending', run.pending - 1)
    disarm_timer(run.id .. '|' .. key)
  end
  write_row(run.id, key, {state = state, kind = kind, turn = turn_of(run), attempts = attempts,
    started = row.started, ended = now, due = 0, payload = payload})
  if state == 'failed' then
    count_failed(run)
    note(run.id, 't ' .. now .. ' ' .. took .. ' ' .. attempts .. ' 0 ' .. #key .. '\n' .. key)
  end
  run.crashes = 0
  changed(run.id, 'running')
  return run.turn
end

local function record(run, key, kind, state, attempts, took, payload)
  local over = over_limit(run, nil, #payload)
  local text = head_of_row(state, kind, run.turned and run.turn or run.turn + 1, attempts,
    math.max(0, now - took), now, 0) .. payload
  if over or redis.call('HSETNX', k_steps .. run.id, key, text) == 0 then
    return replace(run, key, kind, state, attempts, took, payload, over)
  end
  count_row(run, nil, #payload)
  turn_of(run)
  if state == 'failed' then count_failed(run) end
  run.crashes = 0
  changed(run.id, 'running')
  return run.turn
end

local answers = {}
for rid, token, seq, key, kind, state, attempts, took, payload in items() do
  local run, answer = owned(rid, token, seq)
  if run then
    answer = record(run, key, kind, state, attempts, took, payload)
    saw(run, seq)
  end
  answers[#answers + 1] = answer
end
write_counts()
commit()
return answers
