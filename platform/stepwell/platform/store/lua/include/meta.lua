--- The partition's own facts, read once; refuses a data format this version does not know.
local meta = {}
do
  local names = {'format', 'registry', 'vt', 'next', 'ticked', 'grace'}
  local values = redis.call('HMGET', k_meta, 'format', 'registry', 'vt', 'next', 'ticked', 'grace')
  for index, name in ipairs(names) do meta[name] = tonumber(values[index] or 0) end
end
local function unknown_format()
  if meta.format == 0 or meta.format == 1 then return false end
  return redis.error_reply('FORMAT data of format ' .. meta.format .. ' needs a newer Stepwell than this one (format 1)')
end
