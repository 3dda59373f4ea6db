--! include: slots
--- Lanes: where ready runs wait to be leased.
-- What enters in this call, in order: see slots.lua.
local entering, entered, begun = {}, {}, {}
local function enqueue(run, rank)
  local lane = lane_of(run)
  local queue = entering[lane]
  if not queue then
    queue = {}
    entering[lane] = queue
    entered[#entered + 1] = lane
  end
  queue[#queue + 1] = rank
  queue[#queue + 1] = run.id
  begun[lane] = begun[lane] or rank < 0
end

--- A run that entered its lane in this very call is not there yet.
local function stay_out(run, lane)
  local queue = entering[lane] or {}
  for index = #queue, 2, -2 do
    if queue[index] == run.id then
      table.remove(queue, index)
      table.remove(queue, index - 1)
    end
  end
end

local function leave_queue(run)
  local lane = lane_of(run)
  stay_out(run, lane)
  if redis.call('ZREM', k_queue .. lane, run.id) == 0 then return end
  if redis.call('EXISTS', k_queue .. lane) == 1 then return end
  retire(lane)
  local scopes = scopes_of(lane)
  for _, scope in ipairs(scopes) do free_scope(scope[1]) end
  pass_turn(scopes.throttle)
end

local function write_lanes()
  for _, lane in ipairs(entered) do
    local queue = entering[lane]
    local idle = redis.call('EXISTS', k_queue .. lane) == 0
    for first = 1, #queue, 1000 do
      redis.call('ZADD', k_queue .. lane, unpack(queue, first, math.min(first + 999, #queue)))
    end
    if #queue > 0 and (idle or (begun[lane] and is_gated(lane))) then activate(lane) end
  end
  hand_on()
end
