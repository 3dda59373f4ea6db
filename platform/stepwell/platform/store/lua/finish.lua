--! Ends runs with their output or error. Answers OK or STALE per run.
--! args: now
--! item: rid token seq status body drift
--! include: clock meta batch feed run lanes steps timers ending owner letting_go commit
--! allow-oom
-- status: completed, failed or cancelled. body: the output, or the error. drift: see include/heads.lua, or empty.
now = clock(now)
if unknown_format() then return unknown_format() end

local answers = {}
for rid, token, seq, status, body, drift in items() do
  local run, answer = owned(rid, token, seq)
  if run then
    answer = let_go(run, seq, 'OK')
    if drift ~= '' then
      run.drift = true
      redis.call('HSET', k_run .. rid, 'drift', drift)
    end
    end_run(run, status, body)
  end
  answers[#answers + 1] = answer
end
commit()
return answers
