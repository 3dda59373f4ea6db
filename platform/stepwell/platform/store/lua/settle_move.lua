--! Notes what is left of a move. Answers the version of the registry.
--! args: now known:int field homes
--! include: clock meta
--! allow-oom
-- known: the version by which it was found out what is left; with another one nothing is written.
-- field: "#moved function"; homes: where its runs may be besides, empty for nowhere.
now = clock(now)
if unknown_format() then return unknown_format() end
local version = tonumber(redis.call('HGET', k_apps, '#version') or 0)
if version ~= known then return version end
if homes == '' then redis.call('HDEL', k_apps, field) else redis.call('HSET', k_apps, field, homes) end
return redis.call('HINCRBY', k_apps, '#version', 1)
