--! Starts runs of schedules beside their plan, which stays as it is. Answers OK, DUP, SKIPPED, GONE or RELOAD per run.
--! args: now version:int
--! item: id rid lane app_version options notes event body
--! include: clock meta batch feed run lanes steps timers ending firing commit
now = clock(now)
if unknown_format() then return unknown_format() end

local function start(schedule, rid, lane, app_version, options, notes, event, body)
  if version ~= fact('registry') then return 'RELOAD' end
  if not schedule then return 'GONE' end
  local answer = start_timed(schedule, rid, lane, app_version, options, notes, event, body)
  return answer
end

local answers = {}
for id, rid, lane, app_version, options, notes, event, body in items() do
  answers[#answers + 1] = start(load_schedule(id), rid, lane, app_version, options, notes, event, body)
end
write_position()
commit()
return answers
