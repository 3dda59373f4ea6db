--! Which schedules are due. Answers {now, registry, planned, 1 when time went back, ms until more, {id, text...}, {id, text...}}.
--! args: now limit:int idle:int grace:int
--! include: clock meta run schedules
--! allow-oom
-- limit: of schedules of either list. idle: the longest answer in ms. grace: ms that time may go back without any ado.
-- registry, planned: version in force, and the one whose schedules are all here.
-- The second list: schedules with held times whose last run has ended.
now = clock(now)
if unknown_format() then return unknown_format() end
local seen = fact('crons')
local back = now < seen - grace
if now - seen >= 1000 then redis.call('HSET', k_meta, 'crons', now) end

local due = {}
for _, id in ipairs(redis.call('ZRANGEBYSCORE', k_crons, '-inf', now, 'LIMIT', 0, limit)) do
  local text = redis.call('HGET', k_schedules, id)
  if text then
    due[#due + 1] = id
    due[#due + 1] = text
  else
    redis.call('ZREM', k_crons, id)
  end
end

local free = {}
for _, id in ipairs(redis.call('SRANDMEMBER', k_crons_held, limit)) do
  local schedule = load_schedule(id)
  if schedule and schedule.paused == 0 and not run_under_way(schedule) then
    free[#free + 1] = id
    free[#free + 1] = text_of(schedule)
  end
end

local wait = idle
local head = redis.call('ZRANGE', k_crons, 0, 0, 'WITHSCORES')
if head[2] then wait = math.min(wait, math.max(0, tonumber(head[2]) - now)) end
return {now, fact('registry'), fact('planned'), back and 1 or 0, wait, due, free}
