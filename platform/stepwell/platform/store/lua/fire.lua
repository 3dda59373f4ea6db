--! Fires times of schedules. Answers OK, DUP, HELD, SKIPPED, MISSED, LOST, PAUSED, GONE or RELOAD per item.
--! args: now version:int patience:int most_held:int
--! item: id expected:int when:int upcoming:int due:int missed:int overlap rid lane app_version options notes event body
--! include: clock meta batch feed run lanes steps timers ending owner cancelling firing commit
-- version: of the registry the caller knows. patience: ms the owner of a run has to let go of it when it is cancelled.
-- most_held: times of a schedule that wait at most.
-- expected: the time the caller takes for the next. when: the one that is to start a run, or 0. upcoming, due: the time
-- after it, and when that is fired. missed: times that neither this call nor another makes up for.
now = clock(now)
if unknown_format() then return unknown_format() end

local OVERTAKEN = '{"type":"Overlap","message":"it had not ended when its schedule came to its next time","traceback":[]}'

local function hold(schedule, when)
  local _, count = string.gsub(schedule.held, '%d+', '')
  if count >= most_held then
    schedule.missed = schedule.missed + 1
    return 'MISSED'
  end
  schedule.held = count == 0 and string.format('%.0f', when) or schedule.held .. ',' .. when
  redis.call('SADD', k_crons_held, schedule.id)
  return 'HELD'
end

local function fire(schedule, when, overlap, rid, lane, app_version, options, notes, event, body)
  if when == 0 then return 'MISSED' end
  if when == schedule.skip then return skip_time(schedule) end
  local before = overlap ~= 'allow' and run_under_way(schedule)
  if overlap == 'queue' and (before or schedule.held ~= '-') then return hold(schedule, when) end
  if before and overlap == 'skip' then return skip_time(schedule) end
  local answer = fire_timed(schedule, when, rid, lane, app_version, options, notes, event, body)
  -- Nothing overtakes it when there is a run of that time already, or an earlier run with its key
  -- holds the new one back.
  if before and overlap == 'cancel_old' and answer == 'OK' then cancel_run(before, OVERTAKEN, patience) end
  return answer
end

local function refusal(schedule, expected)
  if version ~= fact('registry') then return 'RELOAD' end
  if not schedule then return 'GONE' end
  if schedule.paused > 0 then return 'PAUSED' end
  return schedule.next ~= expected and 'LOST' or nil
end

local answers = {}
for id, expected, when, upcoming, due, missed, overlap, rid, lane, app_version, options, notes, event, body in items() do
  local schedule = load_schedule(id)
  local answer = refusal(schedule, expected)
  if not answer then
    schedule.next, schedule.missed = upcoming, schedule.missed + missed
    answer = fire(schedule, when, overlap, rid, lane, app_version, options, notes, event, body)
    if schedule.skip < upcoming then schedule.skip = 0 end
    write_schedule(schedule)
    await_due(schedule, due)
  end
  answers[#answers + 1] = answer
end
write_position()
commit()
return answers
