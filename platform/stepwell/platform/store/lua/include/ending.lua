--! include: listing meta options counting
--- The end of a run, whoever brings it about.
local function disarm_all(run)
  if run.notbefore ~= 0 then disarm_timer(run.id .. '|') end
  if run.cancel > 0 then disarm_timer(run.id .. '!') end
  if option(run.options, 'start') or option(run.options, 'finish') then disarm_timer(run.id .. '~') end
  if run.pending == 0 then return end
  for _, key in ipairs(redis.call('HKEYS', k_steps .. run.id)) do disarm_timer(run.id .. '|' .. key) end
end

--- What is told of an end: "run event status", and unless it is large or there is more to tell, the whole run, so that
-- few have to read it: an end is final, so this stays true.
local function ending_of(run)
  local line = run.id .. ' ' .. run.event .. ' '
  if run.link ~= '' or run.ran or run.drift then return line .. run.status end
  if #run.body > 1024 or string.find(run.body, '\n', 1, true) then return line .. run.status end
  return line .. head_of(run) .. ' ' .. run.created .. ' ' .. run.version .. ' ' .. run.lane .. ' ' .. run.body
end

--- Whether somebody has to be told of an end, who is not in this partition or not for a script to tell: a
-- parent, children that were invoked and go with it, functions and waits for the events that tell of ends
-- (`tells`, a bit for each status).
local BITS = {completed = 1, failed = 2, cancelled = 4}
local function has_consequences(run, status)
  return string.sub(run.link, 1, 7) == 'invoke ' or (status == 'cancelled' and run.pending > 0)
    or math.floor(fact('tells') / BITS[status]) % 2 == 1
end

--- Its place goes to the next run of its key.
local function leave_place(run)
  local digest = string.match(option(run.options, 'single') or '', '^[^:]+')
  if digest and redis.call('GET', k_single .. digest) == run.id then redis.call('DEL', k_single .. digest) end
end

local function reason_of(run) return redis.call('HGET', k_run .. run.id, 'why') or '' end

local function end_run(run, status, body)
  if status == 'cancelled' and body == '' and run.cancel > 0 then body = reason_of(run) end
  if run.status == 'queued' and run.notbefore == 0 then leave_queue(run) end
  disarm_all(run)
  unlist_all(run)
  leave_place(run)
  free_slots(run)
  set(run, 'status', status)
  set(run, 'ended', now)
  run.body_field, run.body = status == 'completed' and 'o' or 'err', body
  later('ZREM', k_live, run.id)
  later('ZADD', k_ended, now, run.id)
  if status ~= 'completed' then later('ZADD', k_outcome .. status, 0, run.id) end
  if has_consequences(run, status) then
    later('ZADD', k_ends, now, run.id)
    errand()
  end
  count(status, run.lane)
  ended(ending_of(run))
  changed(run.id, status)
end
