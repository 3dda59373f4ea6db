--! include: listing counting
--- A step that waits gets its outcome: the run is made ready, or its owner is told.
local function resume(run, key)
  if run.status == 'waiting' and run.notbefore <= now then
    if run.notbefore ~= 0 then
      disarm_timer(run.id .. '|')
      set(run, 'notbefore', 0)
    end
    make_ready(run)
  end
  if run.status ~= 'running' then return end
  later('SADD', k_news .. session_of(run.token), run.id .. '|' .. key)
  tell(session_of(run.token))
end

local function leave_lists(run, key, row)
  if row.payload == '' then return end
  local listings = redis.call('HGET', k_run .. run.id, 'l:' .. key)
  unlist(listings or '', run.id .. '|' .. key)
  if listings then redis.call('HDEL', k_run .. run.id, 'l:' .. key) end
end

--- A pending step is done, or failed; a retrying one may be tried again, which takes a turn but is no outcome.
local function resolve_step(run, key, row, state, payload)
  disarm_timer(run.id .. '|' .. key)
  row.turn, row.due = turn_of(run), 0
  if row.state == 'pending' then
    leave_lists(run, key, row)
    set(run, 'bytes', run.bytes + #payload - #row.payload)
    row.state, row.payload, row.ended = state, payload, now
    if state == 'failed' then count('failed_steps', run.lane) end
  end
  write_row(run.id, key, row)
  set(run, 'pending', run.pending - 1)
  resume(run, key)
end
