--! Creates runs whose event was accepted in another partition. Answers OK or DUP per run; the sender then drops its rows.
--! args: now
--! item: rid lane version event due:int options link record
--! include: clock meta batch feed run lanes timers ending creation commit
-- record: the event as its own partition keeps it; here it belongs to its runs alone.
now = clock(now)
if unknown_format() then return unknown_format() end

local answers = {}
for rid, lane, version, event, due, options, link, record in items() do
  local created = create_run(rid, lane, version, event, due, options, link)
  if created then redis.call('SET', k_event .. event, 'T' .. string.sub(record, 2)) end
  answers[#answers + 1] = created and 'OK' or 'DUP'
end
commit()
return answers
