--! Ends runs with their output or error. Answers OK or STALE per run.
--! args: now
--! item: rid token seq status body
--! include: clock meta batch feed run lanes steps timers ending owner letting_go commit
--! allow-oom
-- status: completed, failed or cancelled. body: the output, or the error.
now = clock(now)
if unknown_format() then return unknown_format() end

local answers = {}
for rid, token, seq, status, body in items() do
  local run, answer = owned(rid, token, seq)
  if run then
    answer = let_go(run, seq, 'OK')
    end_run(run, status, body)
  end
  answers[#answers + 1] = answer
end
commit()
return answers
