--! include: creation position schedules
--- Starts the run of a time, once: its id is a function of the time and its function. Its event is kept for it alone.
local function start_timed(schedule, rid, lane, app_version, options, notes, event, body)
  if not create_run(rid, lane, app_version, event, 0, options, 'cron ' .. schedule.id, notes) then return false end
  redis.call('SET', k_event .. event, 'T ' .. now .. ' ' .. next_position() .. ' ' .. rid .. '\n' .. body)
  return true
end

local function note_firing(schedule, when, rid) schedule.last, schedule.fired, schedule.run = when, now, rid end
