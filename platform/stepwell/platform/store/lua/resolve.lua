--! Gives waiting steps an outcome before their time. Answers OK, DONE (it has one) or GONE per step.
--! args: now
--! item: rid key state mark position hand:int payload
--! include: clock meta batch feed run lanes steps timers owner noting ready resolving commit
--! allow-oom
-- state: done or failed; due, for what a wait becomes when its time is over; or retry, of a step, or
-- without a key of the function body. The first of all who resolve a step wins; the others are told DONE,
-- and so is who asks for what cannot be.
-- hand: 1 when it is somebody who gives it. Who asks for due or retry always is.
-- mark, position: of the event that a wait takes, so that the next wait of that mark looks behind it; or empty.
now = clock(now)
if unknown_format() then return unknown_format() end

local function retry_body(run)
  -- Negative, it is no retry; and what is queued with a time to come has not begun.
  if run.status ~= 'waiting' or run.notbefore <= 0 then return 'DONE' end
  disarm_timer(run.id .. '|')
  note(run.id, 'n ' .. now .. ' 0\n')
  set(run, 'notbefore', 0)
  make_ready(run)
  return 'OK'
end

local function misses(row, state)
  return (state == 'retry' and row.state ~= 'retrying') or (state == 'due' and row.state ~= 'pending')
end

--- Of branches that wait for the same events, one may be behind the others: what they have taken stays taken.
local function take(rid, mark, position)
  local last = redis.call('HGET', k_run .. rid, 'w:' .. mark)
  if not last or tonumber(last) < tonumber(position) then redis.call('HSET', k_run .. rid, 'w:' .. mark, position) end
end

local HANDS = {due = 'w', retry = 'n'}
local function resolve(rid, key, state, mark, position, hand, payload)
  local run = load_run(rid)
  if run and key == '' then return retry_body(run) end
  local row = run and read_row(rid, key)
  if not row then return 'GONE' end
  if row.due == 0 or not (run.status == 'running' or run.status == 'waiting' or run.status == 'queued') then return 'DONE' end
  if misses(row, state) then return 'DONE' end
  local by = HANDS[state] or (hand == 1 and 'g')
  if by then note(rid, by .. ' ' .. now .. ' ' .. #key .. '\n' .. key) end
  if state == 'due' then state, payload = when_due(row) end
  if mark ~= '' then take(rid, mark, position) end
  resolve_step(run, key, row, state, payload)
  return 'OK'
end

local answers = {}
for rid, key, state, mark, position, hand, payload in items() do
  answers[#answers + 1] = resolve(rid, key, state, mark, position, hand, payload)
end
commit()
return answers
