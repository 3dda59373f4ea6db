--- Schedules: what is known of each, in one short text. Which there are, and when they fire, is for
-- the registry to say.
--   next     ms of the time that fires next, 0 when there is none
--   last     ms of the last time that has started a run
--   fired    ms when it did
--   run      that run, or "-"
--   missed   times at which nothing could start a run, and that were not made up for
--   skipped  times left out: the run before had not ended, or a person wanted it
--   paused   ms since when it rests, or 0
--   skip     ms of the time that a person wants left out, or 0
--   held     times that wait for the run before to end, with commas between, or "-"
local function parse_schedule(id, text)
  local upcoming, last, fired, run, missed, skipped, paused, skip, held =
    string.match(text, '^(%d+) (%d+) (%d+) (%S+) (%d+) (%d+) (%d+) (%d+) (%S+)$')
  return {id = id, next = tonumber(upcoming), last = tonumber(last), fired = tonumber(fired), run = run,
    missed = tonumber(missed), skipped = tonumber(skipped), paused = tonumber(paused), skip = tonumber(skip), held = held}
end

local function load_schedule(id)
  local text = redis.call('HGET', k_schedules, id)
  return text and parse_schedule(id, text)
end

local function text_of(schedule)
  return schedule.next .. ' ' .. schedule.last .. ' ' .. schedule.fired .. ' ' .. schedule.run .. ' ' .. schedule.missed ..
    ' ' .. schedule.skipped .. ' ' .. schedule.paused .. ' ' .. schedule.skip .. ' ' .. schedule.held
end

local function write_schedule(schedule) redis.call('HSET', k_schedules, schedule.id, text_of(schedule)) end

--- Lets it be looked at when its next time is due, which may be later than that time; not while it rests.
local soon = false
local function await_due(schedule, due)
  if schedule.next == 0 or schedule.paused > 0 then return redis.call('ZREM', k_crons, schedule.id) end
  redis.call('ZADD', k_crons, due, schedule.id)
  soon = soon or due < now + 1000
end

--- Those who fire look once a second anyway.
local function wake_crons()
  if soon then redis.call('PUBLISH', 'sw:crons:' .. string.sub(P, 2, -2), '1') end
end

--- The run that its last time has started, as long as that has not ended.
local function run_under_way(schedule)
  local run = schedule.run ~= '-' and load_run(schedule.run)
  if run and (run.status == 'queued' or run.status == 'running' or run.status == 'waiting') then return run end
  return nil
end
