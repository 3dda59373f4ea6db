--- Who may write to a run: only the holder of its token, and only while the lease lasts.
local function session_of(token) return string.match(token, '^[^:]*') end

--- The run when (token, seq) may write to it; otherwise nil and the answer: that of the same write,
-- if its reply was lost.
local function owned(rid, token, seq)
  local run = load_run(rid)
  if not run or run.token ~= token then return nil, 'STALE' end
  if run.status == 'running' then return run, nil end
  if run.seq == seq and run.answer ~= '-' then return nil, run.answer end
  return nil, 'STALE'
end

local function saw(run, seq)
  if tonumber(seq) > tonumber(run.seq) then set(run, 'seq', seq) end
end
