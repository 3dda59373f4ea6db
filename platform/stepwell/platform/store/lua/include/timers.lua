--! include: batch feed
--- Timers of runs: "run|step" for a step, "run|" for the run itself, "run!" for a cancel its owner did not hear, "run~"
-- for the time by which it has to begin, or once it has begun, to end.
local function arm_timer(member, due)
  later('ZADD', k_timers, due, member)
  wake_ticker(due)
end
local function disarm_timer(member) later('ZREM', k_timers, member) end
