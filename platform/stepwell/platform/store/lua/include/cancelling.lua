--! include: batch run feed timers ending owner
--- Cancels a run: at once; or, while it is executing, by asking its owner, who has `patience` ms to let go.
local function ask(run, why, patience)
  if run.cancel == 0 then
    set(run, 'cancel', now)
    if why ~= '' then redis.call('HSET', k_run .. run.id, 'why', why) end
    arm_timer(run.id .. '!', now + patience)
  end
  later('SADD', k_news .. session_of(run.token), run.id .. '|')
  tell(session_of(run.token))
  return 'ASKED'
end

local function cancel_run(run, why, patience)
  if run.status == 'running' then return ask(run, why, patience) end
  if run.status ~= 'queued' and run.status ~= 'waiting' then return 'ENDED' end
  end_run(run, 'cancelled', why)
  return 'CANCELLED'
end
