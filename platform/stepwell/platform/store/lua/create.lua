--! Creates runs whose event was accepted in another partition. Answers OK, DUP, "SKIPPED why" or "JOINED run" per run.
--! args: now
--! item: rid lane version event due:int options link notes record
--! include: clock meta batch feed run lanes timers ending creation position keeping commit
-- record: the event as its own partition keeps it; here it belongs to its runs alone. One that begins with "N" is in no log
-- at all: it has come about with its run, here and now, and is "N runs", a line feed, and the body.
now = clock(now)
if unknown_format() then return unknown_format() end

local DAY = 86400000
--- The answer to a creation that comes again, because the reply to the first was lost: the run that its event has joined.
local function joined_before(rid, options) return gathers(options) and redis.call('GET', k_joined .. rid) end

local function create(rid, lane, version, event, due, options, link, notes, record)
  local joined = joined_before(rid, options)
  if joined then return 'JOINED', joined end
  local answer, more = create_run(rid, lane, version, event, due, options, link, notes, #record)
  if answer == 'JOINED' then redis.call('SET', k_joined .. rid, more, 'PX', DAY) end
  if answer == 'OK' or answer == 'JOINED' then redis.call('SET', k_event .. event, kept_with(event, record, rid, more)) end
  return answer, more
end

local answers = {}
for rid, lane, version, event, due, options, link, notes, record in items() do
  local answer, more = create(rid, lane, version, event, due, options, link, notes, record)
  answers[#answers + 1] = more and answer .. ' ' .. more or answer
end
write_position()
commit()
return answers
