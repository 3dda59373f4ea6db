--! include: ranking
--- Puts a run back into its lane.
local function make_ready(run)
  local first = string.match(run.started, '^%d+')
  if first ~= '0' then run.started = first .. '+' .. math.max(0, now - first) end
  set(run, 'status', 'queued')
  enqueue(run, rank_of(run))
  changed(run.id, 'queued')
end
