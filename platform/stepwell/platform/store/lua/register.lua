--! Stores the manifest of an app. Answers {version of the registry, 1 when it changed}.
--! args: now app manifest
--! include: clock meta
--! allow-oom
now = clock(now)
if unknown_format() then return unknown_format() end
if redis.call('HGET', k_apps, app) == manifest then return {tonumber(redis.call('HGET', k_apps, '#version')), 0} end
redis.call('HSET', k_apps, app, manifest)
return {redis.call('HINCRBY', k_apps, '#version', 1), 1}
