--! include: pausing
--- What the name of a lane says: whose runs are in it, and the scopes that they wait for and need slots of.
local function function_of(lane) return string.match(lane, '^[^|]+') end
local function base_of(fn) return (string.gsub(fn, '!$', '')) end
--- A run that was executing when its sessions died, twice in a row, is a suspect: it waits in a lane marked "!", to be
-- leased alone. Once may be the fault of any run beside it.
local function lane_of(run)
  if run.crashes < 2 then return run.lane end
  return (string.gsub(run.lane, '^[^|]+', '%0!', 1))
end

--- The scopes a lane's runs need a slot of: {{scope, limit}, ...}, in the order of the function's constraints.
local scope_cache = {}
local function scopes_of(lane)
  local scopes = scope_cache[lane]
  if scopes then return scopes end
  scopes = {}
  local names = redis.call('HGET', k_limits, base_of(function_of(lane)))
  if names then
    local values = {}
    for value in string.gmatch(lane, '|([^|]*)') do values[#values + 1] = value end
    local index = 0
    for name in string.gmatch(names, '%S+') do
      index = index + 1
      local rule = redis.call('HGET', k_limits, '#' .. name) or ''
      local scope, limit = name .. '|' .. (values[index] or ''), tonumber(rule)
      if limit then scopes[#scopes + 1] = {scope, limit} end
      local interval, burst = string.match(rule, '^throttle (%S+) (%d+)$')
      if interval then scopes.throttle = {scope = scope, interval = tonumber(interval), burst = tonumber(burst)} end
    end
  end
  scope_cache[lane] = scopes
  return scopes
end

local function limit_of(scope)
  return tonumber(redis.call('HGET', k_limits, '#' .. string.match(scope, '^[^|]*')) or nil)
end

local function pause_scope(lane) return 'pause|' .. base_of(function_of(lane)) end
--- Whether runs of a lane that have not begun may have to wait although those that have may go on.
local function is_gated(lane) return scopes_of(lane).throttle or pause_of(base_of(function_of(lane))) end
