--! include: heads
--- Runs as whatever may happen to them needs them.
local HEAD = '^(%S+) (%S+) (%S+) (%S+) (%S+) (%S+) (%S+) (%S+) (%S+) (%S+) (%S+) (%S+) (%S+) (%S+)$'
local INFO = '^(%S+) (%S+) (%S+) (%S+) ?(%S*) ?(.*)$'

local function info_of(created, lane, version, event, options, link)
  local info = created .. ' ' .. version .. ' ' .. event .. ' ' .. lane
  if link ~= '' then return info .. ' ' .. options .. ' ' .. link end
  return options == '-' and info or info .. ' ' .. options
end

local function parse_run(rid, head, info)
  local status, token, seq, answer, turn, steps, bytes, pending, crashes, attempt, notbefore, cancel, started, ended =
    string.match(head, HEAD)
  local created, version, event, lane, options, link = string.match(info, INFO)
  return {
    id = rid, status = status, token = token, seq = seq, answer = answer, turn = tonumber(turn), steps = tonumber(steps),
    bytes = tonumber(bytes), pending = tonumber(pending), crashes = tonumber(crashes), attempt = attempt,
    notbefore = tonumber(notbefore), cancel = tonumber(cancel), started = started, ended = ended,
    created = created, version = version, event = event, lane = lane, options = options, link = link,
    scopes = false, ran = false, drift = false, turned = false, written = true,
    body = false, body_field = false, -- output or error to be written with the head
  }
end

local function load_run(rid)
  local run = runs[rid]
  if run ~= nil then return run end
  local fields = redis.call('HMGET', k_run .. rid, 'h', 'i', 'sl', 'v')
  run = false
  if fields[1] then
    run = parse_run(rid, fields[1], fields[2])
    run.scopes, run.ran = fields[3], fields[4]
  end
  runs[rid] = run
  return run
end
