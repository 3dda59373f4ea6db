--! Takes up schedules that are new, drops those that are gone, and sets back those that are too far ahead. Answers OK or RELOAD.
--! args: now version:int planned:int settled:int
--! item: what id upcoming:int due:int known
--! include: clock meta schedules
--! allow-oom
-- version: of the registry the caller knows. planned: 1 with the last items: all schedules of that version are here.
-- settled: 1 with the last items after time went back: none is ahead any more.
-- what: add, drop or back. upcoming: ms of the time that fires next. due: ms when it is fired. known: the text of one to
-- add that lived in another partition, or empty.
now = clock(now)
if unknown_format() then return unknown_format() end
if version ~= fact('registry') then return 'RELOAD' end

local function add(id, upcoming, due, known)
  if redis.call('HEXISTS', k_schedules, id) == 1 then return end
  local schedule = parse_schedule(id, known ~= '' and known or upcoming .. ' 0 0 - 0 0 0 0 -')
  write_schedule(schedule)
  await_due(schedule, due)
  if schedule.held ~= '-' then redis.call('SADD', k_crons_held, id) end
end

local function set_back(id, upcoming, due)
  -- Somebody else has done so, or time has come to where it was: what fires next by now is right.
  if now >= fact('crons') then return end
  local schedule = load_schedule(id)
  if not schedule or schedule.next <= upcoming then return end
  schedule.next = upcoming
  write_schedule(schedule)
  await_due(schedule, due)
end

for what, id, upcoming, due, known in items() do
  if what == 'add' then
    add(id, upcoming, due, known)
  elseif what == 'back' then
    set_back(id, upcoming, due)
  else
    redis.call('HDEL', k_schedules, id)
    redis.call('ZREM', k_crons, id)
    redis.call('SREM', k_crons_held, id)
  end
end
if planned == 1 then redis.call('HSET', k_meta, 'planned', version) end
if settled == 1 then redis.call('HSET', k_meta, 'crons', now) end
wake_crons()
return 'OK'
