--! include: creation position schedules
--- Starts the run of a time, once: its id is a function of the time and its function. Its event is kept for it alone.
-- Answers as create_run.
local function start_timed(schedule, rid, lane, app_version, options, notes, event, body)
  local answer, why = create_run(rid, lane, app_version, event, 0, options, 'cron ' .. schedule.id, notes, #body)
  if answer ~= 'OK' then return answer, why end
  redis.call('SET', k_event .. event, 'T ' .. now .. ' ' .. next_position() .. ' ' .. rid .. '\n' .. body)
  return answer
end

local function skip_time(schedule)
  schedule.skipped = schedule.skipped + 1
  return 'SKIPPED'
end

--- The same, for a time that it was the turn of: it is noted with its schedule.
local function fire_timed(schedule, when, rid, ...)
  local answer = start_timed(schedule, rid, ...)
  if answer == 'SKIPPED' then return skip_time(schedule) end
  schedule.last, schedule.fired, schedule.run = when, now, rid
  return answer
end
