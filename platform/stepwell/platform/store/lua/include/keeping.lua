--! include: position
--- How a partition keeps an event that is in no log of its own; see create.lua.
local function kept(record)
  if string.sub(record, 1, 1) ~= 'N' then return 'T' .. string.sub(record, 2) end
  return 'T ' .. now .. ' ' .. next_position() .. string.sub(record, 2)
end

--- The same, where others of its runs may be kept with it already. `joined`: the run that it has become part of.
local function kept_with(event, record, rid, joined)
  local known = redis.call('GET', k_event .. event)
  local text = known and string.sub(known, 1, 1) == 'T' and known or kept(record)
  local head, ids, rest = string.match(joined and text or '', '^(T %d+ %d+ )(%S*)(\n.*)$')
  local first, last = string.find(ids or '', rid, 1, true)
  if not first then return text end
  return head .. string.sub(ids, 1, first - 1) .. joined .. string.sub(ids, last + 1) .. rest
end

--- What an event's record says of a function that it has started, or has not: the id of the run, be it that of others
-- as well; or "function=why", see refusing.lua.
local function started(rid, lane, answer, more)
  if answer == 'JOINED' then return more end
  return answer == 'SKIPPED' and base_of(function_of(lane)) .. '=' .. more or rid
end
