--- The end of a run, whoever brings it about.
local function disarm_all(run)
  if run.notbefore ~= 0 then disarm_timer(run.id .. '|') end
  if run.cancel > 0 then disarm_timer(run.id .. '!') end
  if run.pending == 0 then return end
  for _, key in ipairs(redis.call('HKEYS', k_steps .. run.id)) do disarm_timer(run.id .. '|' .. key) end
end

local function end_run(run, status, body)
  if run.status == 'queued' and run.notbefore == 0 then leave_queue(run) end
  disarm_all(run)
  free_slots(run)
  set(run, 'status', status)
  set(run, 'ended', now)
  run.body_field, run.body = status == 'completed' and 'o' or 'err', body
  later('ZREM', k_live, run.id)
  later('ZADD', k_ended, now, run.id)
  if status ~= 'completed' then later('ZADD', k_outcome .. status, 0, run.id) end
  ended(run.id, run.event, status)
  changed(run.id, status)
end
