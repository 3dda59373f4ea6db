--! Gives waiting steps an outcome before their time. Answers OK, DONE (it has one) or GONE per step.
--! args: now
--! item: rid key state mark position payload
--! include: clock meta batch feed run lanes steps timers owner ready resolving commit
--! allow-oom
-- state: done or failed. The first of all who resolve a step wins; the others are told DONE.
-- mark, position: of the event that a wait takes, so that the next wait of that mark looks behind it; or empty.
now = clock(now)
if unknown_format() then return unknown_format() end

local function resolve(rid, key, state, mark, position, payload)
  local run = load_run(rid)
  local row = run and read_row(rid, key)
  if not row then return 'GONE' end
  if row.due == 0 or not (run.status == 'running' or run.status == 'waiting' or run.status == 'queued') then return 'DONE' end
  if mark ~= '' then redis.call('HSET', k_run .. rid, 'w:' .. mark, position) end
  resolve_step(run, key, row, state, payload)
  return 'OK'
end

local answers = {}
for rid, key, state, mark, position, payload in items() do
  answers[#answers + 1] = resolve(rid, key, state, mark, position, payload)
end
commit()
return answers
