--! Puts down events of a batch for a run that is about to do it again. Answers OK, DUP, GONE or INCOMPLETE.
--! args: now rid life:int before:int
--! item: event
--! include: clock meta
-- DUP: it exists. GONE: one of the events is not kept. INCOMPLETE: those put down before are there no more.
-- life: ms after which the list is gone, if the run was not created. before: events of the list
-- that were put down before.
now = clock(now)
if unknown_format() then return unknown_format() end

if redis.call('EXISTS', k_run .. rid) == 1 then return 'DUP' end
local records = {}
for event in items() do
  local record = redis.call('GET', k_event .. event)
  if not record then return 'GONE' end
  records[#records + 1] = {event, record}
end
local there = redis.call('LLEN', k_gathered .. rid)
-- A repeat finds them there; whoever took too long does not find those before them.
if there > before then return 'OK' end
if there < before then return 'INCOMPLETE' end
for _, pair in ipairs(records) do
  local head, ids, body = string.match(pair[2], '^(%u %d+ %d+ )(%S*)(\n.*)$')
  redis.call('SET', k_event .. pair[1], head .. (ids == '' and '' or ids .. ',') .. rid .. body)
  redis.call('RPUSH', k_gathered .. rid, pair[1])
end
redis.call('PEXPIRE', k_gathered .. rid, life)
return 'OK'
