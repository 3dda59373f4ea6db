--- Creates a run once: its id is a function of its event and its function. `due` in the future delays it.
local noted = {}
local function note_function(fn)
  if not noted[fn] then later('SADD', k_functions, fn) end
  noted[fn] = true
end

local function info_of(lane, version, event, options, link)
  local info = now .. ' ' .. version .. ' ' .. event .. ' ' .. lane
  if link ~= '' then return info .. ' ' .. options .. ' ' .. link end
  return options == '-' and info or info .. ' ' .. options
end

local tombstones = redis.call('EXISTS', k_tombstones) == 1
-- options: "-", or any of these with commas between them: start=<ms>, finish=<ms> within which it has to begin, and to
-- end. link: whence it comes, or empty; see run.lua.
local function create_run(rid, lane, version, event, due, options, link)
  if redis.call('EXISTS', k_run .. rid) == 1 then return false end
  if due <= now then due = 0 end
  redis.call('HSET', k_run .. rid, 'h', 'queued - 0 - 0 0 0 0 0 0 ' .. due .. ' 0 0 0',
    'i', info_of(lane, version, event, options, link))
  later('ZADD', k_runs_of .. function_of(lane), 0, rid)
  note_function(function_of(lane))
  later('ZADD', k_live, 0, rid)
  changed(rid, 'queued')
  if tombstones and redis.call('ZSCORE', k_tombstones, rid) then
    end_run(load_run(rid), 'cancelled', '')
    later('ZREM', k_tombstones, rid)
  elseif due > 0 then
    arm_timer(rid .. '|', due)
  else
    enqueue({id = rid, lane = lane, crashes = 0}, now)
  end
  return true
end
