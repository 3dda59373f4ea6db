--- Step rows: "state kind turn attempts started ended due" and, after a line feed, a payload Lua never looks into.
local function head_of_row(state, kind, turn, attempts, started, ended, due)
  return state .. ' ' .. kind .. ' ' .. turn .. ' ' .. attempts .. ' ' .. started .. ' ' .. ended .. ' ' .. due .. '\n'
end

local function write_row(rid, key, row)
  redis.call('HSET', k_steps .. rid, key,
    head_of_row(row.state, row.kind, row.turn, row.attempts, row.started, row.ended, row.due) .. row.payload)
end

local function read_row(rid, key)
  local text = redis.call('HGET', k_steps .. rid, key)
  if not text then return nil end
  local state, kind, turn, attempts, started, ended, due, payload =
    string.match(text, '^(%S+) (%S+) (%d+) (%d+) (%d+) (%d+) (%d+)\n(.*)$')
  return {state = state, kind = kind, turn = tonumber(turn), attempts = tonumber(attempts), started = tonumber(started),
    ended = tonumber(ended), due = tonumber(due), payload = payload, text = text}
end

--- The completion sequence of what this call records: one for all outcomes of a run, since they are delivered together.
local function turn_of(run)
  if not run.turned then
    run.turned = true
    set(run, 'turn', run.turn + 1)
  end
  return run.turn
end

--- Counts a row that is new or has grown; answers why not when a limit would be exceeded.
local function over_limit(run, row, size)
  if not row and run.steps >= max_steps then return {'LIMIT', 'steps', run.steps} end
  if run.bytes + size > max_bytes then return {'LIMIT', 'bytes', run.bytes + size} end
  return nil
end
local function count_row(run, row, size)
  if not row then set(run, 'steps', run.steps + 1) end
  set(run, 'bytes', run.bytes + size - (row and #row.payload or 0))
end

--- What a pending step becomes when it is due: a wait's payload begins with that, "state payload" and a line feed.
local function when_due(row)
  local state, payload = string.match(row.state == 'pending' and row.payload or '', '^(%S+) (%S*)\n')
  if state then return state, payload end
  return 'done', row.payload
end
