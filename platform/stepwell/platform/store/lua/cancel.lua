--! Cancels runs. Answers CANCELLED, ASKED (its owner was told), ENDED or GONE per run.
--! args: now patience:int early:int
--! item: rid why
--! include: clock meta batch feed run lanes steps timers ending owner cancelling commit
--! allow-oom
-- patience: ms an owner has to let go before the run is cancelled over its head.
-- why: an error as JSON, that is kept with the run, or empty.
-- early: 1 leaves a tombstone for a run that does not exist yet, for a create that is still on its way.
now = clock(now)
if unknown_format() then return unknown_format() end

local function cancel(rid, why)
  local run = load_run(rid)
  if run then return cancel_run(run, why, patience) end
  if early == 1 then redis.call('ZADD', k_tombstones, now, rid) end
  return 'GONE'
end

local answers = {}
for rid, why in items() do answers[#answers + 1] = cancel(rid, why) end
commit()
return answers
