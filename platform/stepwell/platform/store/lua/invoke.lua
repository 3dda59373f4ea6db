--! Creates a run that somebody has asked for by hand. Answers its id, that of the first to ask for it, or "SKIPPED why".
--! args: now rid lane version event options notes request life:int record
--! include: clock meta batch feed run lanes timers ending creation position keeping commit
-- request: asked for again under it within `life` ms, the answer is the run that there is. record: the event, as in
-- create.lua, which belongs to this run alone.
now = clock(now)
if unknown_format() then return unknown_format() end

local known = redis.call('GET', k_asked .. request)
if known then return known end
local answer, more = create_run(rid, lane, version, event, 0, options, '', notes, #record)
if answer == 'SKIPPED' then
  write_position()
  commit()
  return 'SKIPPED ' .. more
end
if answer == 'OK' then redis.call('SET', k_event .. event, kept(record)) end
redis.call('SET', k_asked .. request, rid, 'PX', life)
write_position()
commit()
return rid
