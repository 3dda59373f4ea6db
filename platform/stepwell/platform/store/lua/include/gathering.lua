--! include: options run timers dropping ranking owing
--- Debounce and batch: an event may join a run that has not begun because it waits for such.
-- Bytes of events.
local MAX_GATHERED = 4194304

local function gathers(options) return option(options, 'debounce') or option(options, 'batch') end

local function gathering_run(options)
  local rid = redis.call('GET', k_gathering .. string.match(gathers(options), '^[^:]+'))
  local run = rid and load_run(rid)
  return run and run.status == 'queued' and run.notbefore > now and run or nil
end

--- When a run that gathers starts, if nothing more comes.
local function start_of(options, created)
  local quiet, longest = string.match(option(options, 'debounce') or '', '^[^:]+:(%d+):(%d+)$')
  if quiet then return longest == '0' and now + quiet or math.min(now + quiet, created + longest) end
  return created + string.match(option(options, 'batch'), ':(%d+)$')
end

local function open_gathering(rid, options, size)
  local due = start_of(options, now)
  if option(options, 'batch') then redis.call('HSET', k_run .. rid, 'gb', size) end
  redis.call('SET', k_gathering .. string.match(gathers(options), '^[^:]+'), rid, 'PX', due - now + 3600000)
  return due
end

--- The run is for its last event: it is what it would be, had that started it.
local function replace_event(run, lane, version, event, options, notes)
  local before = run.event
  run.lane, run.version, run.event, run.options = lane, version, event, options
  redis.call('HSET', k_run .. run.id, 'i', info_of(run.created, lane, version, event, options, run.link))
  redis.call('HDEL', k_run .. run.id, 'nt')
  if notes ~= '-' then redis.call('HSET', k_run .. run.id, 'nt', notes) end
  drop_event(before, run.id)
  local due = start_of(options, run.created)
  set(run, 'notbefore', due)
  arm_timer(run.id .. '|', due)
  local within = option(options, 'start')
  if within then arm_timer(run.id .. '~', due + within) end
  redis.call('PEXPIRE', k_gathering .. string.match(gathers(options), '^[^:]+'), math.ceil(due - now + 3600000))
end

local function add_event(run, event, options, size)
  local most = tonumber(string.match(option(options, 'batch'), '^[^:]+:(%d+)'))
  local count = redis.call('RPUSH', k_gathered .. run.id, event) + 1
  local bytes = redis.call('HINCRBY', k_run .. run.id, 'gb', size)
  if count < most and bytes < MAX_GATHERED then return end
  disarm_timer(run.id .. '|')
  set(run, 'notbefore', 0)
  redis.call('DEL', k_gathering .. string.match(gathers(options), '^[^:]+'))
  enqueue(run, rank_of(run))
end

--- The event becomes part of a run that waits for such.
local function join(run, lane, version, event, options, notes, size)
  if option(options, 'debounce') then
    replace_event(run, lane, version, event, options, notes)
  else
    add_event(run, event, options, size)
  end
  changed(run.id, 'queued')
end

--- It waits for nothing more: it will be for the events that it has.
local function close_gathering(run)
  local key = k_gathering .. string.match(gathers(run.options), '^[^:]+')
  if redis.call('GET', key) == run.id then redis.call('DEL', key) end
  local notes = redis.call('HGET', k_run .. run.id, 'nt')
  if not notes then return end
  owe_listings(run.id, notes)
  redis.call('HDEL', k_run .. run.id, 'nt')
end
