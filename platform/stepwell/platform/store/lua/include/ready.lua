--! include: ranking
--- Puts a run back into its lane.
local function make_ready(run)
  set(run, 'status', 'queued')
  enqueue(run, rank_of(run))
  changed(run.id, 'queued')
end
