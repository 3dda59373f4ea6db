--! include: position
--- How a partition keeps an event that is in no log of its own; see create.lua.
local function kept(record)
  if string.sub(record, 1, 1) ~= 'N' then return 'T' .. string.sub(record, 2) end
  return 'T ' .. now .. ' ' .. next_position() .. string.sub(record, 2)
end
