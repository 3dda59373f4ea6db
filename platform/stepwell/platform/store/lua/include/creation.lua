--! include: options run ranking owing refusing gathering counting
--- Creates a run once: its id is a function of its event and its function. `due` in the future delays it.
local noted = {}
local function note_function(fn)
  if not noted[fn] then later('SADD', k_functions, fn) end
  noted[fn] = true
end

--- What is to happen to a run although it does nothing itself: it may have to begin in time.
local function arm_start(rid, options, due)
  local within = option(options, 'start')
  if within then arm_timer(rid .. '~', math.max(now, due) + within) end
end

local tombstones = redis.call('EXISTS', k_tombstones) == 1
local function place(run, due)
  if tombstones and redis.call('ZSCORE', k_tombstones, run.id) then
    end_run(load_run(run.id), 'cancelled', '')
    later('ZREM', k_tombstones, run.id)
  elseif due > 0 then
    arm_timer(run.id .. '|', due)
  else
    enqueue(run, rank_of(run))
  end
end

--- One that waits for a later event is not listed before that is known.
local function list(rid, options, notes)
  if notes == '-' then return end
  if option(options, 'debounce') then
    redis.call('HSET', k_run .. rid, 'nt', notes)
  else
    owe_listings(rid, notes)
  end
end

local function write_run(rid, lane, version, event, due, options, link, notes, recorded)
  redis.call('HSET', k_run .. rid, 'h', 'queued - 0 - ' .. (recorded or '0 0 0') .. ' 0 0 0 ' .. due .. ' 0 0 0',
    'i', info_of(now, lane, version, event, options, link))
  later('ZADD', k_runs_of .. function_of(lane), 0, rid)
  note_function(function_of(lane))
  later('ZADD', k_live, 0, rid)
  count('created', lane)
  changed(rid, 'queued')
  if options ~= '-' then arm_start(rid, options, due) end
  list(rid, options, notes)
  place({id = rid, lane = lane, options = options, created = now, started = '0', crashes = 0}, due)
end

--- What the controls make of an event: OK, SKIPPED and why, or JOINED and a run; and when the run
-- that is to come is due.
local function admit(rid, lane, version, event, due, options, notes, size)
  local gathered = due == 0 and gathers(options)
  local why = refusal_of_event(rid, lane, options)
  local into = not why and gathered and gathering_run(options)
  -- A batch is for its first event, whose place it has; a debounced run for its last.
  if not why and not (into and option(options, 'batch')) then
    why = take_place(into and into.id or rid, options, into)
  end
  if why then return 'SKIPPED', why end
  count_event(into and into.id or rid, options)
  if not into then return 'OK', gathered and open_gathering(rid, options, size) or due end
  join(into, lane, version, event, options, notes, size)
  return 'JOINED', into.id
end

--- Answers OK, DUP (it exists), SKIPPED and why, or JOINED and the run that the event has become part of.
-- options: see options.lua. link: whence it comes, or empty; see heads.lua. notes: "-", or see owing.lua. size: bytes
-- of the event. recorded: "turn steps bytes" of the steps that it has from another run; nil when it has none.
local function create_run(rid, lane, version, event, due, options, link, notes, size, recorded)
  if redis.call('EXISTS', k_run .. rid) == 1 then return 'DUP' end
  if due <= now then due = 0 end
  if options ~= '-' or fact('paused') > 0 then
    local answer, more = admit(rid, lane, version, event, due, options, notes, size)
    if answer == 'SKIPPED' then
      ended(rid .. ' ' .. event .. ' skipped')
      return answer, more
    elseif answer == 'JOINED' then
      ended(rid .. ' ' .. event .. ' joined:' .. more)
      return answer, more
    end
    due = more
  end
  write_run(rid, lane, version, event, due, options, link, notes, recorded)
  return 'OK'
end
