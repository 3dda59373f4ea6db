--! Removes runs that ended at least `age` ms ago, oldest first, with all that is theirs. Answers how many.
--! args: now age:int limit:int
--! include: clock meta batch run dropping
--! allow-oom
now = clock(now)
if unknown_format() then return unknown_format() end

local functions, count = {}, 0
local function remove(rid)
  local run = load_run(rid)
  local gathered = redis.call('LRANGE', k_gathered .. rid, 0, -1)
  redis.call('UNLINK', k_run .. rid, k_steps .. rid, k_gathered .. rid, k_history .. rid, k_logs .. rid, k_progress .. rid)
  for _, event in ipairs(gathered) do drop_event(event, rid) end
  if run then
    drop_event(run.event, rid)
    local fn = string.match(run.lane, '^[^|]+')
    functions[fn] = true
    later('ZREM', k_runs_of .. fn, rid)
    later('ZREM', k_outcome .. run.status, rid)
  end
  later('ZREM', k_ended, rid)
  count = count + 1
end

for _, rid in ipairs(redis.call('ZRANGEBYSCORE', k_ended, '-inf', now - age, 'LIMIT', 0, limit)) do
  -- One whose end has yet to be told to others is needed for that.
  if not redis.call('ZSCORE', k_ends, rid) then remove(rid) end
end
write_batches()
for fn in pairs(functions) do
  if redis.call('EXISTS', k_runs_of .. fn) == 0 then redis.call('SREM', k_functions, fn) end
end
return count
