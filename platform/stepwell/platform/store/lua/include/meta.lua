--- Numbers the partition keeps about itself, each read when it is first needed.
local facts = {}
local function fact(name)
  local value = facts[name]
  if not value then
    value = tonumber(redis.call('HGET', k_meta, name) or 0)
    facts[name] = value
  end
  return value
end

--- Refuses a data format this version does not know.
local function unknown_format()
  if fact('format') <= 1 then return false end
  return redis.error_reply('FORMAT data of format ' .. fact('format') .. ' needs a newer Stepwell than this one (format 1)')
end
