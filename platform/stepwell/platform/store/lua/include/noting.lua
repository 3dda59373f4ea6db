--- What has happened to a run, as far as neither its header nor its steps tell: list k_history, read by
--- platform/stepwell/platform/reading/noted.py. An entry is one of
---   "how ended queued ran token"  a turn that has ended: s suspended, r released, x its session died while it executed,
---     c cancelled over its head. It had been queued so many ms, and ran so many. The last turn of a run that has ended,
---     or executes, is in no entry: its header tells of it.
---   "f ended queued ran token attempt due"  the function has failed, and is tried again; in a line of its own, the error
---   "t ended took attempt due size"  a step has failed, and is tried again unless due is 0; in a line of its own, its
--     key, of that size, and the error, unless its row has it. With an error and due 0, its worker died meanwhile
--   "n at size", "w at size", "g at size"  hurried, woken, or given its outcome by hand; in a line of its own, the key
-- Field "hd" of the header: entries that were dropped, and the ms that the turns among them were queued, and ran.
local note, note_turn
-- A block, for a script can have 200 locals and some have nearly as many.
do
  local MOST, DROPPED = 500, 64

  local function drop(rid)
    local dropped, queued, ran = string.match(redis.call('HGET', k_run .. rid, 'hd') or '0 0 0', '^(%d+) (%d+) (%d+)$')
    for _, entry in ipairs(redis.call('LRANGE', k_history .. rid, 0, DROPPED - 1)) do
      local before, within = string.match(entry, '^[srxcf] %d+ (%d+) (%d+) ')
      queued, ran = queued + (before or 0), ran + (within or 0)
    end
    redis.call('LTRIM', k_history .. rid, DROPPED, -1)
    redis.call('HSET', k_run .. rid, 'hd', dropped + DROPPED .. ' ' .. queued .. ' ' .. ran)
  end

  function note(rid, entry)
    if redis.call('RPUSH', k_history .. rid, entry) > MOST then drop(rid) end
  end

  --- Of a turn that ends; what is behind the token, if anything, begins with a space.
  function note_turn(run, how, more)
    local first, ready, leased = string.match(run.started, '^(%d+)%+?(%d*)%+?(%d*)$')
    local queued, since = leased, first + (tonumber(ready) or 0) + (tonumber(leased) or 0)
    if leased == '' then queued = math.max(0, since - run.created) end
    note(run.id, how .. ' ' .. now .. ' ' .. queued .. ' ' .. math.max(0, now - since) .. ' ' .. run.token .. (more or ''))
  end
end
