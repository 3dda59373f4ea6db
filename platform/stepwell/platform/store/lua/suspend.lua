--! Ends the lease of runs whose every branch waits. Answers OK or STALE per run.
--! args: now
--! item: rid token seq seen:int within:int
--! include: clock meta batch feed run lanes steps timers ending owner letting_go noting ready commit
--! allow-oom
-- seen: the last turn the owner knew of. When there is a later one the run is ready at once.
-- within: ms after which it is made ready even if no wait has ended, or 0.
now = clock(now)
if unknown_format() then return unknown_format() end

local function suspend(run, seq, seen, within)
  let_go(run, seq, 'OK')
  if run.cancel > 0 then return end_run(run, 'cancelled', '') end
  note_turn(run, 's')
  if run.turn > seen or (run.pending == 0 and within == 0) then return make_ready(run) end
  if within > 0 then
    -- Negative: a time at which it is looked at again, and not one before which it must not be.
    set(run, 'notbefore', -(now + within))
    arm_timer(run.id .. '|', now + within)
  end
  set(run, 'status', 'waiting')
  changed(run.id, 'waiting')
end

local answers = {}
for rid, token, seq, seen, within in items() do
  local run, answer = owned(rid, token, seq)
  if run then
    suspend(run, seq, seen, within)
    answer = 'OK'
  end
  answers[#answers + 1] = answer
end
commit()
return answers
