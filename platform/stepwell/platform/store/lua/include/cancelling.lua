--- Cancels a run: at once, or by asking its owner, who has `patience` ms to let go. Answers CANCELLED, ASKED or ENDED.
local function ask(run, patience)
  if run.cancel == 0 then
    set(run, 'cancel', now)
    arm_timer(run.id .. '!', now + patience)
  end
  later('SADD', k_news .. session_of(run.token), run.id .. '|')
  tell(session_of(run.token))
  return 'ASKED'
end

local function cancel_run(run, patience)
  if run.status == 'running' then return ask(run, patience) end
  if run.status ~= 'queued' and run.status ~= 'waiting' then return 'ENDED' end
  end_run(run, 'cancelled', '')
  return 'CANCELLED'
end
