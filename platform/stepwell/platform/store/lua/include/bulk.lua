--- A job that steers many runs. Fields of its hash: "what" it is to do, as JSON that no script reads; "rate" runs per
-- second; "by" whom it was asked for; "created", "ended" ms; "state" running, stopping, stopped, done or failed;
-- "problem" why it has failed; "owner" who carries it on, until "till" ms unless that is renewed; "seq" of its last
-- note; "cursor" of the next page of runs, "-" behind the last; "todo" runs of the page before that are yet to be
-- steered; "searched", "total", "undecided" as of pages; "matched" runs found, "done" and "refused" of them; "r:reason"
-- how many were refused for it, "x:reason" the first of those, "reasons" how many there are.
local function bulk_goes_on(state) return state == 'running' or state == 'stopping' end

local function end_bulk(id, state)
  redis.call('HSET', k_bulk .. id, 'state', state, 'ended', now)
  redis.call('HDEL', k_bulk .. id, 'owner', 'till')
  -- What was stopped may go on.
  if state ~= 'stopped' then redis.call('HDEL', k_bulk .. id, 'todo') end
  redis.call('ZADD', k_bulks, now, id)
end
