--! Leases up to `n` ready runs to a session. Answers DEAD, or {OK, more, run...}; a repeated call gets the same runs.
--! args: now session call expiry:int n:int
--! item: fn version
--! include: clock meta batch feed run lanes draining fairness commit
--! allow-oom
-- call: unique in the session, and the token of every run leased by it. expiry: ms until the session is dead unless it
-- beats. fn: the functions the session serves; "fn!" are the suspects of fn. version: of its app there, or empty.
-- more: 1 when lanes were left for want of room.
-- A run: {id, token, header fields..., event record, step rows or 0 when large, further events of a batch}.
now = clock(now)
if unknown_format() then return unknown_format() end
if redis.call('ZSCORE', k_dead, session) then return {'DEAD'} end

local functions, answer = {}, {'OK', 0}
for fn, version in items() do
  functions[#functions + 1] = fn
  version_of[base_of(fn)] = version
end

--- Whoever leases for a session asks for functions of its own, one call at a time: so each has a last call to remember.
local function repeated()
  local last = redis.call('HGET', k_session .. session, functions[1])
  if not last or string.match(last, '^%S+') ~= call then return false end
  for rid in string.gmatch(last, ' (%S+)') do
    local run = load_run(rid)
    if run and run.status == 'running' and run.token == call then answer[#answer + 1] = describe(run) end
  end
  return true
end

redis.call('ZADD', k_sessions, now + expiry, session)
if repeated() then return answer end

local vt = fact('vt')
for _ = 1, 64 do
  local wanted = n - (#answer - 2)
  if wanted <= 0 or room <= 0 then break end
  local best, lanes = seek(functions)
  if not best then break end
  drain(best.lane, best.fn, best.vt, math.ceil(wanted / lanes), answer)
  look_anew(best.fn)
end
if seek(functions) then answer[2] = 1 end
if #answer > 2 then
  local last = {call}
  for index = 3, #answer do last[index - 1] = answer[index][1] end
  redis.call('HSET', k_session .. session, functions[1], table.concat(last, ' '))
end
if fact('vt') ~= vt then redis.call('HSET', k_meta, 'vt', fact('vt')) end
commit()
return answer
