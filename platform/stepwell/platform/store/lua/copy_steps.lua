--! Puts down steps for a run that is yet to be created by `rerun`. Answers OK, or DUP when it exists.
--! args: now run life:int
--! item: key row
--! include: clock meta
-- life: ms after which what was put down is gone, unless the run is created.
now = clock(now)
if unknown_format() then return unknown_format() end
if redis.call('EXISTS', k_run .. run) == 1 then return 'DUP' end
for key, row in items() do redis.call('HSET', k_steps .. run, key, row) end
redis.call('PEXPIRE', k_steps .. run, life)
return 'OK'
