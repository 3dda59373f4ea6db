--! Creates a run that does another one again. Answers OK, DUP, GONE, FULL, INCOMPLETE, or "SKIPPED why".
--! args: now rid lane version event options link notes turn:int steps:int bytes:int most:int record
--! item: field value
--! include: clock meta batch feed run lanes timers ending creation position keeping commit
-- GONE: its event is not kept. FULL: that has too many runs. INCOMPLETE: a step is missing, or an event of its batch.
-- turn, steps, bytes: of the steps that copy_steps has put down before, as copy_events has the events of a
-- batch. record: the event as in create.lua, for a partition that does not have it; or empty. most: runs of an
-- event, whose ids are kept with it.
-- Items: fields of the other run that belong to those steps; see include/heads.lua.
now = clock(now)
if unknown_format() then return unknown_format() end

--- Whether there is no room for another id of 26 characters, and the comma behind it.
local function full()
  local ids = string.match(redis.call('GET', k_event .. event) or '', '^%u %d+ %d+ (%S*)\n')
  return #(ids or '') + 1 >= most * 27
end

--- Has the event kept for as long as this run is.
local function keep_event()
  local known = redis.call('GET', k_event .. event)
  if known then
    local head, ids, body = string.match(known, '^(%u %d+ %d+ )(%S*)(\n.*)$')
    redis.call('SET', k_event .. event, head .. (ids == '' and '' or ids .. ',') .. rid .. body)
  else
    redis.call('SET', k_event .. event, kept(record))
  end
end

if redis.call('EXISTS', k_run .. rid) == 1 then return 'DUP' end
if record == '' and redis.call('EXISTS', k_event .. event) == 0 then return 'GONE' end
if full() then return 'FULL' end
if redis.call('HLEN', k_steps .. rid) ~= steps then return 'INCOMPLETE' end
if redis.call('LLEN', k_gathered .. rid) ~= tonumber(option(options, 'many') or 0) then return 'INCOMPLETE' end
local recorded = turn .. ' ' .. steps .. ' ' .. bytes
local answer, more = create_run(rid, lane, version, event, 0, options, link, notes, #record, recorded)
if answer ~= 'OK' then return answer .. ' ' .. more end
redis.call('PERSIST', k_steps .. rid)
redis.call('PERSIST', k_gathered .. rid)
for field, value in items() do redis.call('HSET', k_run .. rid, field, value) end
keep_event()
write_position()
commit()
return 'OK'
