--- Run headers: each read once and written once per call, whatever the call does to it.
-- Field "h" holds what changes, packed, because one short string is read and written several times
-- faster than a field each:
--   status   queued, running, waiting, completed, failed, cancelled
--   token    of its lease; stays after the lease has ended, so that a repeated write is known; "-" when void
--   seq      of the last write under that token
--   answer   to that write, once the lease has ended; "-" before
--   turn     completion sequence: outcomes recorded so far, those of one call counting once
--   steps    rows in its step hash
--   bytes    of their payloads
--   pending  rows that wait for a timer or an event
--   crashes  sessions that died in a row while its body was executing
--   attempt  failed tries of the function body
--   notbefore  ms before which it is not leased: a delayed start, or the retry of its body; negative: ms when it is
--            looked at again although no wait has ended
--   cancel   ms when cancelling was asked for
--   started  ms when it was leased first, "+" and how much later it was made ready last, and, once it was leased again, "+"
--            and how long after that
--   ended    ms
-- Field "i" holds what never changes: created (ms), version (of the app), event (id), lane; and, unless there is
-- nothing to say, options and link. Options are "-" or "name=value,...", see options.lua. The link tells whence it
-- comes: "invoke <run> <step>" (its parent), "rerun <run>", "cron <schedule>".
-- Field "sl" the scopes it holds slots of, "o" its output, "err" its error or that of its last failed attempt, "why"
-- the reason of a cancel that its owner has not heard yet, "l:<step>" what it is listed as waiting for (see
-- listing.lua), and "w:<mark>" the position of the last event that a wait of that mark has taken, "c:<number>" an event
-- that cancels it, "k:<step>" the run that a step has invoked, "gb" bytes of the events that a batch has, "nt" what is
-- owed of a debounced run once its event is known (see owing.lua), "v" the versions it was leased by, with spaces
-- between, once there was another than its own; "reruns" how often it was to be done again, "q:<request>" the run that
-- does so at that request; "drift" the keys of recorded steps that it did not ask for to its end, as JSON; "lg" what its
-- code has said, see log.lua, and "p" how far it says to have come; "hd" what was dropped of its history, see noting.lua.
local runs = {}

local function set(run, name, value)
  run[name] = value
  run.written = false
end

local function head_of(run)
  local rest = run.rest or run.attempt .. ' ' .. run.notbefore .. ' ' .. run.cancel .. ' ' .. run.started .. ' ' .. run.ended
  return run.status .. ' ' .. run.token .. ' ' .. run.seq .. ' ' .. run.answer .. ' ' .. run.turn .. ' ' .. run.steps .. ' ' ..
    run.bytes .. ' ' .. run.pending .. ' ' .. run.crashes .. ' ' .. rest
end

local function write_runs()
  for rid, run in pairs(runs) do
    if run and run.body then
      redis.call('HSET', k_run .. rid, 'h', head_of(run), run.body_field, run.body)
    elseif run and not run.written then
      redis.call('HSET', k_run .. rid, 'h', head_of(run))
    end
  end
  runs = {}
end
