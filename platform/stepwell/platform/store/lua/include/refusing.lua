--! include: meta options run pausing cancelling
--- Controls that keep a run from being created. First all of them are asked, then those are told that it is.
local function first_of_key(rid, options)
  local digest = string.match(option(options, 'once') or '', '^[^:]+')
  local first, over = string.match(digest and redis.call('GET', k_once .. digest) or '', '^(%S+) (%d+)$')
  return first and first ~= rid and tonumber(over) > now and first or nil
end

--- The starts of the last period are all remembered: in no span of this length there are more than `limit`.
local function is_too_many(options)
  local digest, limit, period = string.match(option(options, 'rate') or '', '^([^:]+):(%d+):(%d+)$')
  if not digest then return false end
  local oldest = redis.call('LINDEX', k_rate .. digest, -tonumber(limit))
  return oldest and tonumber(oldest) > now - period and tonumber(oldest) <= now
end

--- The run that has the only place of its key.
local function holder_of(rid, options)
  local digest, mode = string.match(option(options, 'single') or '', '^([^:]+):(%w+)$')
  local holder = digest and redis.call('GET', k_single .. digest)
  local run = holder and holder ~= rid and load_run(holder)
  if run and (run.status == 'queued' or run.status == 'running' or run.status == 'waiting') then return run, mode end
  return nil, mode
end

--- Why no run is to come of this event: a word, and behind a colon the run that is the reason.
local function refusal_of_event(rid, lane, options)
  if pause_of(base_of(function_of(lane))) == 'drop' then return 'paused' end
  if options == '-' then return nil end
  local first = first_of_key(rid, options)
  if first then return 'duplicate:' .. first end
  return is_too_many(options) and 'rate_limited' or nil
end

local function count_event(rid, options)
  local digest, period = string.match(option(options, 'once') or '', '^([^:]+):(%d+)$')
  if digest then redis.call('SET', k_once .. digest, rid .. ' ' .. now + period, 'PX', period + 3600000) end
  local key, limit, span = string.match(option(options, 'rate') or '', '^([^:]+):(%d+):(%d+)$')
  if not key then return end
  redis.call('RPUSH', k_rate .. key, now)
  redis.call('LTRIM', k_rate .. key, -tonumber(limit), -1)
  redis.call('PEXPIRE', k_rate .. key, span)
end

local OVERTAKEN = '{"type":"Singleton","message":"a newer run has its key","traceback":[]}'
--- Answers why it may not have the only place of its key, or takes that. `before`: the same run, with the place it had.
local function take_place(rid, options, before)
  local holder, mode = holder_of(rid, options)
  if holder and mode == 'skip' then return 'singleton:' .. holder.id end
  if before then leave_place(before) end
  if not mode then return nil end
  -- Who creates runs does not know how long an owner has to let go of one: the next tick says so.
  if holder then cancel_run(holder, OVERTAKEN, 0) end
  redis.call('SET', k_single .. string.match(option(options, 'single'), '^[^:]+'), rid)
  return nil
end
