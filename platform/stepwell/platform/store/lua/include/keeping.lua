--! include: position
--- How a partition keeps an event that is in no log of its own; see create.lua.
local function kept(record)
  if string.sub(record, 1, 1) ~= 'N' then return 'T' .. string.sub(record, 2) end
  return 'T ' .. now .. ' ' .. next_position() .. string.sub(record, 2)
end

--- What an event's record says of a function that it has started, or has not: the id of the run, be it that of others as
-- well; or "function=why", see refusing.lua.
local function started(rid, lane, answer, more)
  if answer == 'JOINED' then return more end
  return answer == 'SKIPPED' and base_of(function_of(lane)) .. '=' .. more or rid
end
