--! include: meta
--- Where events are in the order of their arrival, comparable between partitions as far as their clocks are: a hybrid
-- logical clock (Kulkarni et al. 2014) in one number, 1,024 steps to a ms. It never goes back.
local function position_now() return math.max(fact('position'), now * 1024 - 1) end

local function next_position()
  facts.position = position_now() + 1
  return string.format('%.0f', facts.position)
end

local function write_position() redis.call('HSET', k_meta, 'position', string.format('%.0f', fact('position'))) end
