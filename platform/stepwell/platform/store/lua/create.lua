--! Creates runs whose event was accepted in another partition. Answers OK, DUP or SKIPPED (held back by its key) per run.
--! args: now
--! item: rid lane version event due:int options link notes record
--! include: clock meta batch feed run lanes timers ending creation position keeping commit
-- record: the event as its own partition keeps it; here it belongs to its runs alone. One that begins with "N" is in no log
-- at all: it has come about with its run, here and now, and is "N runs", a line feed, and the body.
now = clock(now)
if unknown_format() then return unknown_format() end

local answers = {}
for rid, lane, version, event, due, options, link, notes, record in items() do
  local created, skipped = create_run(rid, lane, version, event, due, options, link, notes)
  if created then redis.call('SET', k_event .. event, kept(record)) end
  answers[#answers + 1] = created and 'OK' or skipped and 'SKIPPED' or 'DUP'
end
write_position()
commit()
return answers
