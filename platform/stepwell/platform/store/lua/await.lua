--! Says that events of a name are waited for by certain paths. Answers {version of the registry, 1 when it changed}, or FULL.
--! args: now ready:int most:int
--! item: what
--! include: clock meta
--! allow-oom
-- ready: 1 once the events that came before are indexed too. most: what there may be of this in all.
now = clock(now)
if unknown_format() then return unknown_format() end

local new = 0
for what in items() do
  if redis.call('HEXISTS', k_apps, what) == 0 then new = new + 1 end
end
if new > 0 and redis.call('HLEN', k_apps) + new > most then return 'FULL' end
for what in items() do
  if redis.call('HEXISTS', k_apps, what) == 0 or ready == 1 then redis.call('HSET', k_apps, what, ready) end
end
if new > 0 then return {redis.call('HINCRBY', k_apps, '#version', 1), 1} end
return {tonumber(redis.call('HGET', k_apps, '#version') or 0), 0}
