--! Creates runs whose event was accepted in another partition. Answers OK, DUP, "SKIPPED why" or "JOINED run" per run.
--! args: now
--! item: rid lane version event due:int options link notes record
--! include: clock meta batch feed run lanes timers ending creation position keeping commit
-- record: the event as its own partition keeps it; here it belongs to its runs alone. One that begins with "N" is in no
-- log at all: it has come about with its run, here and now, and is "N runs", a line feed, and the body.
now = clock(now)
if unknown_format() then return unknown_format() end

local LIFE = {JOINED = 86400000, SKIPPED = 3600000}
--- The answer to a creation that comes again, because the reply to the first was lost: what has become of its event.
local function decided_before(rid, options)
  local known = (options ~= '-' or fact('paused') > 0) and redis.call('GET', k_decided .. rid)
  return string.match(known or '', '^(%u+) (.*)$')
end

local function create(rid, lane, version, event, due, options, link, notes, record)
  local answer, more = decided_before(rid, options)
  if answer then return answer, more end
  answer, more = create_run(rid, lane, version, event, due, options, link, notes, #record)
  if LIFE[answer] then redis.call('SET', k_decided .. rid, answer .. ' ' .. more, 'PX', LIFE[answer]) end
  if answer == 'OK' or answer == 'JOINED' then
    redis.call('SET', k_event .. event, kept_with(event, record, rid, more))
  end
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
