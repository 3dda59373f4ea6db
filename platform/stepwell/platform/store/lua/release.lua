--! Gives runs back to their lanes: a worker that drains, or does not know the function. Answers OK or STALE per run.
--! args: now
--! item: rid token seq
--! include: clock meta batch feed run lanes steps timers ending owner letting_go noting ready commit
--! allow-oom
now = clock(now)
if unknown_format() then return unknown_format() end

local answers = {}
for rid, token, seq in items() do
  local run, answer = owned(rid, token, seq)
  if run then
    answer = let_go(run, seq, 'OK')
    if run.cancel > 0 then
      end_run(run, 'cancelled', '')
    else
      note_turn(run, 'r')
      make_ready(run)
    end
  end
  answers[#answers + 1] = answer
end
commit()
return answers
