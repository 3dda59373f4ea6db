--! include: options run
--- What a worker is told of a run that it leases: all that it needs to go on, as long as the answer has room.
-- SMALL: bytes of steps that are told. ROW: about what a step's key and the head of its row add to its payload.
local SMALL, ROW = 65536, 128
local room = 1048576

local function describe(run)
  local record = redis.call('GET', k_event .. run.event) or ''
  local rows, size = {}, run.bytes + ROW * run.steps
  if size > SMALL then rows, size = 0, 0 elseif size > 0 then rows = redis.call('HGETALL', k_steps .. run.id) end
  room = room - #record - size - 512
  local many = option(run.options, 'batch') or option(run.options, 'many')
  local gathered = many and redis.call('LRANGE', k_gathered .. run.id, 0, -1) or {}
  return {
    run.id, run.token, run.lane, run.turn, run.steps, run.attempt, run.crashes, run.version, run.event, record, rows,
    gathered,
  }
end
