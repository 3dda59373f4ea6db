--! Pauses or resumes schedules, or has one leave out its next time. Answers what is known of it, LOST or GONE per item.
--! args: now
--! item: id what value:int
--! include: clock meta schedules
--! allow-oom
-- what: pause; resume, with the ms when its next time is due; skip, with the ms of the time. LOST: another one is next.
now = clock(now)
if unknown_format() then return unknown_format() end

local function mark(schedule, what, value)
  if not schedule then return 'GONE' end
  if what == 'skip' then
    if schedule.next ~= value then return 'LOST' end
    schedule.skip = value
  elseif what == 'pause' and schedule.paused == 0 then
    schedule.paused = now
    await_due(schedule, 0)
  elseif what == 'resume' and schedule.paused > 0 then
    schedule.paused = 0
    await_due(schedule, value)
  end
  write_schedule(schedule)
  return text_of(schedule)
end

local answers = {}
for id, what, value in items() do answers[#answers + 1] = mark(load_schedule(id), what, value) end
wake_crons()
return answers
