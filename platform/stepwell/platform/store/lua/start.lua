--! Starts runs of schedules beside their plan, which stays as it is. Answers OK, DUP, GONE, RELOAD or "SKIPPED why" per run.
--! args: now version:int
--! item: id rid lane app_version options notes event body
--! include: clock meta batch feed run lanes steps timers ending firing commit
now = clock(now)
if unknown_format() then return unknown_format() end

local function start(schedule, rid, lane, app_version, options, notes, event, body)
  if version ~= fact('registry') then return 'RELOAD' end
  if not schedule then return 'GONE' end
  local answer, why = start_timed(schedule, rid, lane, app_version, options, notes, event, body)
  return why and answer .. ' ' .. why or answer
end

local answers = {}
for id, rid, lane, app_version, options, notes, event, body in items() do
  answers[#answers + 1] = start(load_schedule(id), rid, lane, app_version, options, notes, event, body)
end
write_position()
commit()
return answers
