--! Cancels runs. Answers CANCELLED, ASKED (its owner was told), ENDED or GONE per run.
--! args: now patience:int early:int
--! item: rid
--! include: clock meta batch feed run lanes steps timers ending owner cancelling commit
--! allow-oom
-- patience: ms an owner has to let go before the run is cancelled over its head.
-- early: 1 leaves a tombstone for a run that does not exist yet, for a create that is still on its way.
now = clock(now)
if unknown_format() then return unknown_format() end

local function cancel(rid)
  local run = load_run(rid)
  if run then return cancel_run(run, patience) end
  if early == 1 then redis.call('ZADD', k_tombstones, now, rid) end
  return 'GONE'
end

local answers = {}
for rid in items() do answers[#answers + 1] = cancel(rid) end
commit()
return answers
