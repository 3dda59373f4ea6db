--! Forgets where runs of functions lived before. Answers the version of the registry.
--! args: now
--! item: field homes
--! include: clock meta
--! allow-oom
-- field: "#moved function"; homes: as they were looked at, for a deploy may have added some since.
now = clock(now)
if unknown_format() then return unknown_format() end

local over = 0
for field, homes in items() do
  if redis.call('HGET', k_apps, field) == homes then over = over + redis.call('HDEL', k_apps, field) end
end
if over > 0 then return redis.call('HINCRBY', k_apps, '#version', 1) end
return tonumber(redis.call('HGET', k_apps, '#version') or 0)
