--- Writes whose reply nobody needs, gathered so that one command serves many runs of the call.
local batches = {ZADD = {}, ZREM = {}, SADD = {}, SREM = {}, XDEL = {}, HDEL = {}}
local function later(command, key, first, second)
  local args = batches[command][key]
  if not args then
    args = {}
    batches[command][key] = args
  end
  args[#args + 1] = first
  if second then args[#args + 1] = second end
end

--- Additions go before removals, so that what one call adds and removes is gone.
local function write_batches()
  for _, command in ipairs({'ZADD', 'SADD', 'ZREM', 'SREM', 'XDEL', 'HDEL'}) do
    local gathered = batches[command]
    batches[command] = {}
    for key, args in pairs(gathered) do
      -- 1,000 arguments a command: an even number, so score and member stay together; unpack fails above 7,999.
      for first = 1, #args, 1000 do
        redis.call(command, key, unpack(args, first, math.min(first + 999, #args)))
      end
    end
  end
end
