--! Keeps what the code of runs has said. Answers OK, or STALE, and then nothing was written, per item.
--! args: now most_lines:int most_bytes:int
--! item: rid token seq:int lost:int step progress lines
--! include: meta
-- A token stays with a run until somebody else takes that: what was said last may come behind the end of the lease.
-- seq: counts up under a token, so that lines that come again are known. lost: lines that were said before these, and
-- are not among them. progress: JSON, of the run and of `step`, or empty. lines: each JSON, line feeds between.
-- Not allow-oom: when memory is short, what runs say is the first thing to go.
if unknown_format() then return unknown_format() end

local function may_write(rid, token)
  local head = redis.call('HGET', k_run .. rid, 'h')
  return string.match(head or '', '^%S+ (%S+)') == token
end

--- Drops the oldest until both bounds are kept; answers how many lines and bytes are left.
local function within_bounds(key, kept, bytes)
  while kept > 0 and (kept > most_lines or bytes > most_bytes) do
    bytes = bytes - #redis.call('LPOP', key)
    kept = kept - 1
  end
  return kept, bytes
end

--- Field "lg" of the header: lines that were said, those that are kept, their bytes, and seq and token of the last.
local function keep(rid, token, seq, lost, lines)
  local said, kept, bytes, last, by = string.match(redis.call('HGET', k_run .. rid, 'lg') or '0 0 0 0 -',
    '^(%d+) (%d+) (%d+) (%d+) (%S+)$')
  if by == token and seq <= tonumber(last) then return end
  said, kept, bytes = said + lost, tonumber(kept), tonumber(bytes)
  local key, rows = k_logs .. rid, {}
  -- Lines are numbered without gaps, and as many as are kept were said after those that were lost.
  if lost > 0 then
    redis.call('DEL', key)
    kept, bytes = 0, 0
  end
  for line in string.gmatch(lines, '[^\n]+') do
    rows[#rows + 1] = line
    bytes = bytes + #line
  end
  redis.call('RPUSH', key, unpack(rows))
  kept, bytes = within_bounds(key, kept + #rows, bytes)
  redis.call('HSET', k_run .. rid, 'lg', said + #rows .. ' ' .. kept .. ' ' .. bytes .. ' ' .. seq .. ' ' .. token)
end

local function advance(rid, step, progress)
  redis.call('HSET', k_run .. rid, 'p', progress)
  if step ~= '' then redis.call('HSET', k_progress .. rid, step, progress) end
end

local answers, heard, news = {}, {}, {}
for rid, token, seq, lost, step, progress, lines in items() do
  local known = may_write(rid, token)
  if known then
    if lines ~= '' then keep(rid, token, seq, lost, lines) end
    if progress ~= '' then advance(rid, step, progress) end
    if not heard[rid] then news[#news + 1] = rid end
    heard[rid] = true
  end
  answers[#answers + 1] = known and 'OK' or 'STALE'
end
if #news > 0 then redis.call('PUBLISH', 'sw:said', table.concat(news, '\n')) end
return answers
