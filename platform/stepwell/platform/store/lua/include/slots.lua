--! include: parking
--- Slots that runs give back, and who gets them.
-- What this call has freed, in order: what a script does must not depend on how Lua happens to iterate over a table.
local freed, freed_scopes = {}, {}
local function free_scope(scope)
  if freed[scope] then return end
  freed[scope] = true
  freed_scopes[#freed_scopes + 1] = scope
end

local function free_slots(run)
  if not run.scopes then return end
  for scope in string.gmatch(run.scopes, '%S+') do
    redis.call('ZREM', k_slots .. scope, run.id)
    free_scope(scope)
  end
  redis.call('HDEL', k_run .. run.id, 'sl')
  run.scopes = false
end

--- Gives what was freed so far to those who wait for it.
local function hand_on()
  local scopes = freed_scopes
  freed, freed_scopes = {}, {}
  for _, scope in ipairs(scopes) do unpark(scope) end
end
