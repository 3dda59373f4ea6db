--! include: options
--- Where a run is in its lane: by age, some seconds ahead if it has priority; those that have begun before all others.
local BEGUN = 10000000000000
local function rank_of(run)
  return run.created - (option(run.options, 'prio') or 0) * 1000 - (run.started ~= '0' and BEGUN or 0)
end
