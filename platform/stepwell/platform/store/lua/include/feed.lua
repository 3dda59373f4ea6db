--! include: meta
--- What others may want to hear of this call: hints only, nobody relies on them.
local changes, endings, wakes, letters = {}, {}, {}, {}
local tick_due, errands = nil, false
local function changed(rid, status) changes[#changes + 1] = rid .. ' ' .. status end
local function ended(line) endings[#endings + 1] = line end
local function wake(fn) wakes[fn] = true end
local function wake_ticker(due) if not tick_due or due < tick_due then tick_due = due end end
local function errand() errands = true end
local function tell(session) letters[session] = true end

local function publish()
  for fn in pairs(wakes) do redis.call('PUBLISH', 'sw:wake:' .. fn, '1') end
  for session in pairs(letters) do redis.call('PUBLISH', 'sw:session:' .. session, '1') end
  if #endings > 0 then redis.call('PUBLISH', 'sw:ended', table.concat(endings, '\n')) end
  if #changes > 0 then redis.call('PUBLISH', 'sw:feed', table.concat(changes, '\n')) end
  if errands then redis.call('PUBLISH', 'sw:errand:' .. string.sub(P, 2, -2), '1') end
  if tick_due and tick_due < fact('next') then redis.call('PUBLISH', 'sw:tick:' .. string.sub(P, 2, -2), tick_due) end
end
