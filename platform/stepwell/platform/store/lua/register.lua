--! Stores the manifest of an app. Answers {version of the registry, 1 when it changed}, or CHANGED when that is not `known`.
--! args: now app manifest known:int
--! item: field homes
--! include: clock meta
--! allow-oom
-- known: the version by which it was found out what the manifest means for all functions; -1 when that was not asked.
-- field: "#moved function" of one whose runs live elsewhere from now on; homes: where they may be besides, empty for nowhere.
now = clock(now)
if unknown_format() then return unknown_format() end
local version = tonumber(redis.call('HGET', k_apps, '#version') or 0)
if redis.call('HGET', k_apps, app) == manifest then return {version, 0} end
if known >= 0 and version ~= known then return 'CHANGED' end
redis.call('HSET', k_apps, app, manifest)
for field, homes in items() do
  if homes == '' then redis.call('HDEL', k_apps, field) else redis.call('HSET', k_apps, field, homes) end
end
return {redis.call('HINCRBY', k_apps, '#version', 1), 1}
