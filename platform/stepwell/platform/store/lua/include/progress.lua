--! include: heads
--- Runs as far as the outcome of a step needs them, which is the most frequent write of all: the end of the head is
-- kept as it is, and what is beside the head is not read.
local HEAD = '^(%S+) (%S+) (%S+) (%S+) (%S+) (%S+) (%S+) (%S+) (%S+) (.*)$'

local function parse_run(rid, head)
  local status, token, seq, answer, turn, steps, bytes, pending, crashes, rest = string.match(head, HEAD)
  return {
    id = rid, status = status, token = token, seq = seq, answer = answer, turn = tonumber(turn), steps = tonumber(steps),
    bytes = tonumber(bytes), pending = tonumber(pending), crashes = tonumber(crashes), rest = rest,
    turned = false, written = true,
  }
end

local function load_run(rid)
  local run = runs[rid]
  if run ~= nil then return run end
  local head = redis.call('HGET', k_run .. rid, 'h')
  run = head and parse_run(rid, head)
  runs[rid] = run
  return run
end
