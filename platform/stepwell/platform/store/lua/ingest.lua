--! Accepts events: deduplicates, appends to the log, creates the runs. Answers OK, {DUP, first id} or RELOAD per event.
--! args: now window:int width:int
--! item: version:int event digest due:int words runs body
--! include: clock meta batch feed run lanes timers ending creation keeping counting commit
-- window, width: the deduplication window and the width of its buckets, in ms.
-- words: what somebody may wait for this event by, with spaces between, or empty.
-- version: of the registry the sender matched with. digest: of the sender's own id, or empty.
-- runs: lines "run lane version target options notes", see creation.lua; target is "-" here, or the
-- partition that is the run's home.
now = clock(now)
if unknown_format() then return unknown_format() end

local bucket, buckets = math.floor(now / width), math.ceil(window / width)
local function first_id(digest)
  local shard, field = string.sub(digest, 1, 2), string.sub(digest, 3)
  -- From the bucket to come, in case time went back since.
  for back = -1, buckets do
    local id = redis.call('HGET', k_dedupe .. (bucket - back) .. ':' .. shard, field)
    if id then return id end
  end
  return nil
end

local function remember(digest, event)
  local key = k_dedupe .. bucket .. ':' .. string.sub(digest, 1, 2)
  redis.call('HSET', key, string.sub(digest, 3), event)
  if redis.call('HLEN', key) == 1 then redis.call('PEXPIRE', key, window + 2 * width) end
end

--- Answers what is to be known with the event of what it has started: see include/keeping.lua.
local function start(event, due, runs, size)
  local told = {}
  for rid, lane, version, target, options, notes in string.gmatch(runs, '(%S+) (%S+) (%S+) (%S+) (%S+) (%S+)') do
    local line = rid
    if target == '-' then
      local answer, more = create_run(rid, lane, version, event, due, options, '', notes, size)
      line = started(rid, lane, answer, more)
    else
      later('SADD', k_outboxes, target)
      redis.call('XADD', k_outbox .. target, '*', 'run', rid, 'lane', lane, 'version', version, 'event', event, 'due', due,
        'options', options, 'notes', notes)
    end
    told[#told + 1] = line
  end
  return table.concat(told, ',')
end

local function ids_of(runs)
  local ids = {}
  for rid in string.gmatch(runs, '(%S+) %S+ %S+ %S+ %S+ %S+') do ids[#ids + 1] = rid end
  return table.concat(ids, ',')
end

local function accept(event, digest, due, words, runs, body)
  local position = next_position()
  -- An event that is there already came with a call whose reply was lost.
  local head, ids = 'L ' .. now .. ' ' .. position .. ' ', ids_of(runs)
  if not redis.call('SET', k_event .. event, head .. ids .. '\n' .. body, 'NX') then return end
  if digest ~= '' then remember(digest, event) end
  count('events', '')
  -- Rows of outboxes before the log: by their times it is known which events they still need, and
  -- no row may seem younger.
  local told = start(event, due, runs, #body)
  if told ~= ids then redis.call('SET', k_event .. event, head .. told .. '\n' .. body) end
  redis.call('XADD', k_log, '*', 'e', event)
  if words ~= '' then later('ZADD', k_matches, position, event .. ' ' .. words) end
end

local answers = {}
for version, event, digest, due, words, runs, body in items() do
  local known = digest ~= '' and first_id(digest)
  if version ~= fact('registry') then
    answers[#answers + 1] = 'RELOAD'
  elseif known then
    answers[#answers + 1] = {'DUP', known}
  else
    accept(event, digest, due, words, runs, body)
    answers[#answers + 1] = 'OK'
  end
end
write_position()
commit()
return answers
