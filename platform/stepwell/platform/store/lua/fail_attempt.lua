--! Records a failed attempt that will be tried again. Answers the row of a step; OK for the function body; STALE, CONFLICT or LIMIT.
--! args: now max_steps:int max_bytes:int
--! item: rid token seq key kind attempts delay:int took:int error told
--! include: clock meta batch feed run lanes steps timers ending owner letting_go noting ready counting commit
--! allow-oom
-- An empty key means the function body: its lease ends, and the run waits for `delay` ms. A step's
-- run goes on beside it. told: the error as the history of the run is to tell it.
now = clock(now)
if unknown_format() then return unknown_format() end

local function retry_body(run, seq, delay, failure, told)
  let_go(run, seq, 'OK')
  if run.cancel > 0 then
    end_run(run, 'cancelled', '')
    return 'OK'
  end
  set(run, 'attempt', run.attempt + 1)
  note_turn(run, 'f', ' ' .. run.attempt .. ' ' .. now + delay .. '\n' .. told)
  set(run, 'notbefore', now + delay)
  set(run, 'status', 'waiting')
  run.body_field, run.body = 'err', failure
  arm_timer(run.id .. '|', now + delay)
  count('retried', run.lane)
  changed(run.id, 'waiting')
  return 'OK'
end

local function retry_step(run, key, kind, attempts, delay, took, failure, told)
  local row = read_row(run.id, key)
  -- A repeat of this very attempt, or a step that has its outcome: the answer is what is recorded.
  if row and (row.state ~= 'retrying' or row.attempts >= tonumber(attempts)) then return row.text end
  local over = over_limit(run, row, #failure)
  if over then return over end
  count_row(run, row, #failure)
  if not row or row.due == 0 then set(run, 'pending', run.pending + 1) end
  write_row(run.id, key, {state = 'retrying', kind = kind, turn = 0, attempts = attempts,
    started = row and row.started or math.max(0, now - took), ended = now, due = now + math.max(delay, 1),
    payload = failure})
  arm_timer(run.id .. '|' .. key, now + math.max(delay, 1))
  note(run.id, 't ' .. now .. ' ' .. took .. ' ' .. attempts .. ' ' .. now + math.max(delay, 1) .. ' ' .. #key .. '\n' ..
    key .. told)
  set(run, 'crashes', 0)
  count('retried', run.lane)
  changed(run.id, 'running')
  return redis.call('HGET', k_steps .. run.id, key)
end

local answers = {}
for rid, token, seq, key, kind, attempts, delay, took, failure, told in items() do
  local run, answer = owned(rid, token, seq)
  if run and key == '' then
    answer = retry_body(run, seq, delay, failure, told)
  elseif run then
    answer = retry_step(run, key, kind, attempts, delay, took, failure, told)
    saw(run, seq)
  end
  answers[#answers + 1] = answer
end
commit()
return answers
