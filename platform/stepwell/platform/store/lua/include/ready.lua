--- Puts a run back into its lane: one that has begun goes ahead of every run that has not.
local BEGUN = 10000000000000
local function make_ready(run)
  set(run, 'status', 'queued')
  enqueue(run, run.created - (run.started ~= '0' and BEGUN or 0))
  changed(run.id, 'queued')
end
