--- Writes what a call has gathered that moves no run between lanes.
local function commit()
  write_batches()
  write_runs()
  publish()
end
