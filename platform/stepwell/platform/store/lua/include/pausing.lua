--! include: meta
--- Paused functions: "keep" has all their runs wait, "hold" those that have not begun, "drop" has no more come.
local modes = {}
local function pause_of(fn)
  if fact('paused') == 0 then return nil end
  if modes[fn] == nil then modes[fn] = string.match(redis.call('HGET', k_paused, fn) or '', '^%w+') or false end
  return modes[fn] or nil
end

local function paused_since(fn)
  return tonumber(string.match(redis.call('HGET', k_paused, fn) or '', '%d+$') or nil) or 0
end
