--- What a run was created with, besides what it is: "-", or "name=value,...".
--   once     <key>:<ms> for which no other run has this key
--   rate     <key>:<limit>:<ms> in which at most so many runs of this key start
--   debounce <key>:<ms> without another event of this key before it starts:<ms> that it waits at most, or 0
--   batch    <key>:<events>:<ms> that it waits for so many at most
--   many     events that it has besides its first, because the run that it does again was a batch
--   single   <key>:<skip or cancel>: what happens when there is a run of this key
--   prio     seconds that it goes ahead of others in its lane
--   start    ms within which it has to begin
--   finish   ms within which it has to end
--   cancel   <listing>;... of events that cancel it, see listing.lua
local function option(options, name)
  if #options < 2 then return nil end
  return string.match(options, '^' .. name .. '=([^,]*)') or string.match(options, ',' .. name .. '=([^,]*)')
end
