--! include: counting
--- Writes what the call has gathered: batches, headers, lanes, counts, and then the hints.
local function commit()
  write_batches()
  write_runs()
  write_lanes()
  write_counts()
  publish()
end
