--! include: slots
--- Start-time fair queueing (Goyal, Vin, Cheng 1996): the lane with the least virtual start time goes next.
-- The first lane of a function is looked up anew only when something was taken from its lanes: a session may serve 64.
-- active: those of the functions of the session that have lanes, once that is known.
local active, firsts = nil, {}
local function first_of(fn)
  if firsts[fn] == nil then
    local head = redis.call('ZRANGE', k_lanes .. fn, 0, 0, 'WITHSCORES')
    local lanes = head[1] and redis.call('ZCARD', k_lanes .. fn)
    firsts[fn] = lanes and {fn = fn, vt = tonumber(head[2]), lane = head[1], lanes = lanes} or false
  end
  return firsts[fn]
end

--- Answers the next lane of these functions, and how many lanes they have; nil when there is none.
local function next_lane(functions)
  local best, lanes, left = nil, 0, {}
  for _, fn in ipairs(active or functions) do
    local first = first_of(fn)
    if first then
      left[#left + 1] = fn
      lanes = lanes + first.lanes
      if not best or first.vt < best.vt then best = first end
    end
  end
  active = left
  return best, lanes
end

--- The same, when what this call has freed is to be used by it as well.
local function seek(functions)
  local best, lanes = next_lane(functions)
  if best or #freed_scopes == 0 then return best, lanes end
  hand_on()
  active, firsts = nil, {}
  return next_lane(functions)
end

local function look_anew(fn) firsts[fn] = nil end
