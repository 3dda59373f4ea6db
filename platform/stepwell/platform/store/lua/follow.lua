--! Starts the runs of held times, the one before having ended. Answers OK, DUP, SKIPPED, LOST or RELOAD per item.
--! args: now version:int
--! item: id when:int rid lane app_version options notes event body
--! include: clock meta batch feed run lanes steps timers ending firing commit
-- when: the time that the caller takes for the first of those held.
now = clock(now)
if unknown_format() then return unknown_format() end

local function follow(schedule, when, rid, lane, app_version, options, notes, event, body)
  if not schedule or schedule.paused > 0 or run_under_way(schedule) then return 'LOST' end
  local first, rest = string.match(schedule.held, '^(%d+),?(.*)$')
  if tonumber(first or nil) ~= when then return 'LOST' end
  local answer = fire_timed(schedule, when, rid, lane, app_version, options, notes, event, body)
  schedule.held = rest == '' and '-' or rest
  if rest == '' then redis.call('SREM', k_crons_held, schedule.id) end
  write_schedule(schedule)
  return answer
end

local answers = {}
for id, when, rid, lane, app_version, options, notes, event, body in items() do
  if version ~= fact('registry') then
    answers[#answers + 1] = 'RELOAD'
  else
    answers[#answers + 1] = follow(load_schedule(id), when, rid, lane, app_version, options, notes, event, body)
  end
end
write_position()
commit()
return answers
