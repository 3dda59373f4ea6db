--! Takes a slot back from a run that does not execute under it. Answers OK, HELD (it does) or GONE.
--! args: now scope rid
--! include: clock meta batch feed run lanes commit
--! allow-oom
now = clock(now)
if unknown_format() then return unknown_format() end

if not redis.call('ZSCORE', k_slots .. scope, rid) then return 'GONE' end
local run = load_run(rid)
if run and run.status == 'running' and string.find(' ' .. (run.scopes or '') .. ' ', ' ' .. scope .. ' ', 1, true) then
  return 'HELD'
end
redis.call('ZREM', k_slots .. scope, rid)
free_scope(scope)
commit()
return 'OK'
