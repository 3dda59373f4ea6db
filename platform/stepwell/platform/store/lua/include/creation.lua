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

--- What is to happen to a run although it does nothing itself: it may have to begin in time.
local function arm_start(rid, options, due)
  local within = string.match(options, 'start=(%d+)')
  if within then arm_timer(rid .. '~', math.max(now, due) + within) end
end

local function owe_listings(rid, notes)
  local index = 0
  for note in string.gmatch(notes, '[^\31]+') do
    redis.call('HSET', k_run .. rid, 'c:' .. index, note)
    redis.call('HSET', k_arming, rid .. '!' .. index, '0\n' .. note)
    index = index + 1
  end
  errand()
end

--- Whether another run has come first, and its key may not come again before its period is over.
local function taken(rid, options)
  local digest, period = string.match(options, 'once=([^:,]+):(%d+)')
  if not digest then return false end
  local first, over = string.match(redis.call('GET', k_once .. digest) or '', '^(%S+) (%d+)$')
  if first and first ~= rid and tonumber(over) > now then return true end
  redis.call('SET', k_once .. digest, rid .. ' ' .. now + period, 'PX', period + 3600000)
  return false
end

local tombstones = redis.call('EXISTS', k_tombstones) == 1
-- Answers whether it was created; and when not, whether an earlier run with its key is the reason.
-- options: "-", or any of these with commas between them: once=<key>:<ms> for which no other run has this key; start=<ms>,
-- finish=<ms> within which it has to begin, and to end; cancel=<listing>;... of events that cancel it. link: whence it comes, or empty; see heads.lua. notes: "-", or what has
-- to be done for each of those listings, with the character 31 between them. recorded: "turn steps bytes" of the steps
-- that it has from another run; nil when it has none.
local function create_run(rid, lane, version, event, due, options, link, notes, recorded)
  if redis.call('EXISTS', k_run .. rid) == 1 then return false, false end
  if options ~= '-' and taken(rid, options) then
    ended(rid .. ' ' .. event .. ' skipped')
    return false, true
  end
  if due <= now then due = 0 end
  redis.call('HSET', k_run .. rid, 'h', 'queued - 0 - ' .. (recorded or '0 0 0') .. ' 0 0 0 ' .. due .. ' 0 0 0',
    'i', info_of(lane, version, event, options, link))
  later('ZADD', k_runs_of .. function_of(lane), 0, rid)
  note_function(function_of(lane))
  later('ZADD', k_live, 0, rid)
  changed(rid, 'queued')
  if options ~= '-' then arm_start(rid, options, due) end
  if notes ~= '-' then owe_listings(rid, notes) end
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
