--! Tells a partition which registry is in force, and the limits of its functions. Answers the version it now has.
--! args: now version:int tells:int
--! item: name value
--! include: clock meta feed
--! allow-oom
-- tells: a bit for each status whose ends somebody wants to be told of by an event; see include/ending.lua.
-- Items replace the hash of limits: function -> names of its constraints, "#name" -> limit. An
-- older version changes nothing.
now = clock(now)
if unknown_format() then return unknown_format() end
if version < fact('registry') then return fact('registry') end
redis.call('DEL', k_limits)
for name, value in items() do redis.call('HSET', k_limits, name, value) end
redis.call('HSET', k_meta, 'registry', version, 'tells', tells, 'format', 1)
-- The ticker calls up the lanes that were parked by other limits.
wake_ticker(now)
publish()
return version
