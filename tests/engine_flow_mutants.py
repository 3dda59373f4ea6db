"""Faults to seed into the scripts of flow control; see `engine_search`."""

from tests.engine_search import Mutant

REFUSING, GATHERING = "include/refusing.lua", "include/gathering.lua"
THROTTLING, DRAINING = "include/throttling.lua", "include/draining.lua"
LANES, PARKING = "include/lanes.lua", "include/parking.lua"

MUTANTS = [
    # Refusing.
    Mutant("one-more-start", REFUSING, "-tonumber(limit))\n  return", "-tonumber(limit) - 1)\n  return"),
    Mutant("rate-a-ms-too-long", REFUSING, "tonumber(oldest) > now - period", "tonumber(oldest) >= now - period"),
    Mutant("rate-without-memory", REFUSING, "  redis.call('RPUSH', k_rate .. key, now)\n", ""),
    Mutant("rate-remembers-all", REFUSING, "  redis.call('LTRIM', k_rate .. key, -tonumber(limit), -1)\n", ""),
    Mutant("rate-for-ever", REFUSING, "  redis.call('PEXPIRE', k_rate .. key, span)\n", ""),
    Mutant("drop-lets-in", REFUSING, "== 'drop' then return 'paused' end", "== 'never' then return 'paused' end"),
    Mutant("waiting-is-no-holder", REFUSING, " or run.status == 'waiting') then", ") then"),
    Mutant("executing-is-no-holder", REFUSING, "run.status == 'running' or ", ""),
    Mutant("skip-overtakes", REFUSING, "if holder and mode == 'skip' then", "if false then"),
    Mutant("overtaken-goes-on", REFUSING, "  if holder then cancel_run(", "  if false then cancel_run("),
    Mutant(
        "overtaken-at-once",
        "tick.lua",
        "  if now < run.cancel + patience then return arm_timer(run.id .. '!', run.cancel + patience) end\n",
        "",
    ),
    Mutant("overtaken-never", "tick.lua", "return arm_timer(run.id .. '!', run.cancel + patience)", "return"),
    Mutant(
        "place-not-taken",
        REFUSING,
        "  redis.call('SET', k_single ..",
        "  redis.call('GET', k_single ..",
    ),
    Mutant("place-kept-besides", REFUSING, "  if before then leave_place(before) end\n", ""),
    Mutant("place-outlives-the-run", "include/ending.lua", "  leave_place(run)\n", ""),
    Mutant(
        "place-of-another-left",
        "include/ending.lua",
        "if digest and redis.call('GET', k_single .. digest) == run.id then",
        "if digest then",
    ),
    Mutant(
        "refused-counts",
        "include/creation.lua",
        "  if why then return 'SKIPPED', why end\n",
        "  if why then count_event(rid, options) return 'SKIPPED', why end\n",
    ),
    Mutant(
        "joined-does-not-count",
        "include/creation.lua",
        "  count_event(into and into.id or rid, options)\n",
        "  if not into then count_event(rid, options) end\n",
    ),
    # Gathering.
    Mutant("debounce-not-put-off", GATHERING, "  arm_timer(run.id .. '|', due)\n", ""),
    Mutant("debounce-for-ever", GATHERING, "math.min(now + quiet, created + longest)", "now + quiet"),
    Mutant(
        "first-event-stays",
        GATHERING,
        "info_of(run.created, lane, version, event, options",
        "info_of(run.created, lane, version, before, options",
    ),
    Mutant(
        "notes-of-the-first", GATHERING, "if notes ~= '-' then redis.call('HSET'", "if false then redis.call('HSET'"
    ),
    Mutant("batch-one-too-large", GATHERING, "if count < most and", "if count <= most and"),
    Mutant("batch-never-full", GATHERING, "  enqueue(run, rank_of(run))\n", ""),
    Mutant(
        "full-batch-gathers",
        GATHERING,
        "  redis.call('DEL', k_gathering .. string.match(gathers(options), '^[^:]+'))\n",
        "",
    ),
    Mutant("first-weighs-nothing", GATHERING, "redis.call('HSET', k_run .. rid, 'gb', size)", ""),
    Mutant("batch-of-any-size", GATHERING, " and bytes < MAX_GATHERED", ""),
    Mutant("joins-what-is-due", GATHERING, "and run.notbefore > now and run", "and run"),
    Mutant("joins-the-cancelled", GATHERING, "run and run.status == 'queued' and", "run and"),
    Mutant("gathers-no-more-listed", GATHERING, "if redis.call('GET', key) == run.id then", "if false then"),
    Mutant("joins-again", "create.lua", "  if answer then return answer, more end\n", ""),
    Mutant(
        "event-dropped-too-soon",
        "include/keeping.lua",
        "if not first then return text end",
        "if true then return text end",
    ),
    Mutant(
        "event-never-dropped",
        "include/dropping.lua",
        "redis.call('SET', k_event .. event, head",
        "redis.call('GET', k_event .. event)\n    local _ = (head",
    ),
    # Throttling.
    Mutant("burst-of-one-more", THROTTLING, "math.floor((throttle", "1 + math.floor((throttle"),
    Mutant(
        "no-burst",
        THROTTLING,
        "(throttle.interval * throttle.burst - ahead + 0.001)",
        "(throttle.interval - ahead + 0.001)",
    ),
    Mutant("late-starts-are-lost", THROTTLING, "local LATE = 20", "local LATE = 0"),
    Mutant("late-starts-are-made-up-for-for-ever", THROTTLING, "local LATE = 20", "local LATE = 10000"),
    Mutant("starts-not-counted", THROTTLING, "+ count * throttle.interval", "+ throttle.interval"),
    Mutant("room-not-awaited", THROTTLING, "  arm_timer('=' .. throttle.scope, math.max(", "  local _ = (math.max("),
    Mutant(
        "one-turn-only",
        THROTTLING,
        "if redis.call('EXISTS', k_parked .. scope) == 1 then await_room(throttle, room) end",
        "",
    ),
    Mutant(
        "timer-armed-anew-is-lost",
        "tick.lua",
        "if #due > 0 then redis.call('ZREM', k_timers, unpack(due)) end",
        "for _, member in ipairs(due) do later('ZREM', k_timers, member) end",
    ),
    Mutant("turn-lost-when-full", DRAINING, "full ~= scopes.throttle.scope then pass_turn(", "false then pass_turn("),
    Mutant("turn-lost-when-cancelled", LANES, "  pass_turn(scopes.throttle)\n", ""),
    # Lanes and pausing.
    Mutant("begun-is-throttled", DRAINING, "if tonumber(heads[index]) < 0 then ready", "if false then ready"),
    Mutant("begun-is-not-called-up", LANES, "(idle or (begun[lane] and is_gated(lane)))", "idle"),
    Mutant("hold-lets-begin", DRAINING, "mode == 'hold' and 0 or", "false and 0 or"),
    Mutant(
        "keep-lets-go-on",
        DRAINING,
        "  if mode == 'keep' then return park(lane, fn, pause_scope(lane), scopes) end\n",
        "",
    ),
    Mutant(
        "blocked-never-forgotten",
        PARKING,
        "scope) == 0 then\n    redis.call('ZREM', k_blocked, scope)\n  elseif limit",
        "scope) == 0 then\n    local _ = 1\n  elseif limit",
    ),
    Mutant("slot-offered-once", PARKING, "    redis.call('ZADD', k_timers, now + RECALL, '=' .. scope)\n", ""),
    Mutant("slot-offered-to-as-few", THROTTLING, "return unpark(scope, 64) end", "return end"),
    Mutant("rounded-down", THROTTLING, " - ahead + 0.001)", " + now - next_even(throttle))"),
    Mutant("raised-throttle-stays", THROTTLING, "  write_even(throttle, even)\n", ""),
    Mutant(
        "decision-forgotten",
        "create.lua",
        "  if LIFE[answer] then redis.call('SET'",
        "  if false then redis.call('SET'",
    ),
    Mutant("cancelled-is-queued", LANES, "  stay_out(run, lane)\n", ""),
    Mutant("parked-before-the-pause", DRAINING, "math.max(now, paused_since(paused))", "now"),
    Mutant("events-put-down-too-late", "copy_events.lua", "if there < before then return 'INCOMPLETE' end\n", ""),
    Mutant("refused-run-in-its-events", "take_back.lua", "if id ~= rid then left", "if true then left"),
    Mutant("refused-run-keeps-its-list", "take_back.lua", "redis.call('DEL', k_gathered .. rid)\n", ""),
    Mutant(
        "created-run-taken-back",
        "take_back.lua",
        "if redis.call('EXISTS', k_run .. rid) == 1 then return 'DUP' end",
        "",
    ),
    Mutant("batch-done-again-alone", "rerun.lua", "or 0) then return 'INCOMPLETE' end", "or 0) then local _ = 1 end"),
    Mutant(
        "blocked-outlives-its-lanes",
        PARKING,
        "  redis.call('ZREM', k_blocked, scope)\nend\n\n--- Takes",
        "end\n\n--- Takes",
    ),
    Mutant("resumed-unheard", "pause.lua", "  unpark(scope)\n", ""),
    Mutant("resumed-in-part", "pause.lua", "  redis.call('ZADD', k_blocked, 'XX', 0, scope)\n", ""),
    Mutant("resumed-and-still-paused", "pause.lua", "    redis.call('HDEL', k_paused, fn)\n", ""),
    Mutant("pause-not-known", "pause.lua", "redis.call('HLEN', k_paused)", "0"),
    Mutant("limits-changed-unheard", "tick.lua", "for _, scope in ipairs(blocked) do review(scope) end\n", ""),
    Mutant("priority-upside-down", "include/ranking.lua", "run.created - (option", "run.created + (option"),
    Mutant("begun-behind-others", "include/ranking.lua", " - (run.started ~= '0' and BEGUN or 0)", ""),
]
