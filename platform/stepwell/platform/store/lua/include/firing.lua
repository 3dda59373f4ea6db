--! include: creation position schedules
--- Starts the run of a time, once: its id is a function of the time and its function. Its event is kept for it alone.
-- Answers whether it was created; and when not, whether an earlier run with its key is the reason.
local function start_timed(schedule, rid, lane, app_version, options, notes, event, body)
  local created, taken_before = create_run(rid, lane, app_version, event, 0, options, 'cron ' .. schedule.id, notes)
  if not created then return false, taken_before end
  redis.call('SET', k_event .. event, 'T ' .. now .. ' ' .. next_position() .. ' ' .. rid .. '\n' .. body)
  return true
end

local function skip_time(schedule)
  schedule.skipped = schedule.skipped + 1
  return 'SKIPPED'
end

--- The same, for a time that it was the turn of: it is noted with its schedule.
local function fire_timed(schedule, when, rid, ...)
  local created, taken_before = start_timed(schedule, rid, ...)
  if taken_before then return skip_time(schedule) end
  schedule.last, schedule.fired, schedule.run = when, now, rid
  return created and 'OK' or 'DUP'
end
