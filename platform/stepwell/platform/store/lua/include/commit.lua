--- Writes what the call has gathered: batches, headers, lanes, and then the hints.
local function commit()
  write_batches()
  write_runs()
  write_lanes()
  publish()
end
