"""Faults to seed into the Lua scripts, one at a time; the scenarios, or else the stateful test, have to find each."""

from tests.engine_search import Mutant

MUTANTS = [
    Mutant("token-not-compared", "include/owner.lua", "if not run or run.token ~= token then", "if not run then"),
    Mutant(
        "ended-lease-may-write",
        "include/owner.lua",
        "if run.status == 'running' then return run, nil end",
        "if true then return run, nil end",
    ),
    Mutant("repeat-not-known", "include/owner.lua", "if run.seq == seq and run.answer ~= '-' then", "if false then"),
    Mutant("repeat-of-any-seq", "include/owner.lua", "run.seq == seq and ", ""),
    Mutant("dedupe-not-ahead", "ingest.lua", "for back = -1, buckets do", "for back = 0, buckets do"),
    Mutant("repeated-lease-gets-others", "lease.lua", "if repeated() then return answer end", ""),
    Mutant("dead-session-leases", "lease.lua", "if redis.call('ZSCORE', k_dead, session) then return {'DEAD'} end", ""),
    Mutant("dead-session-beats", "beat.lua", "if redis.call('ZSCORE', k_dead, session) then return {'DEAD'} end", ""),
    Mutant("slot-not-released", "include/slots.lua", "    redis.call('ZREM', k_slots .. scope, run.id)\n", ""),
    Mutant("slot-not-taken", "include/leasing.lua", "redis.call('ZADD', k_slots .. scope[1], now, rid)", ""),
    Mutant(
        "limit-plus-one", "include/draining.lua", "local free = scope[2] - redis", "local free = scope[2] + 1 - redis"
    ),
    Mutant(
        "limit-minus-one", "include/draining.lua", "local free = scope[2] - redis", "local free = scope[2] - 1 - redis"
    ),
    Mutant(
        "first-scope-only",
        "include/draining.lua",
        "    wanted = math.min(wanted, free)\n",
        "    return math.min(wanted, free), nil\n",
    ),
    Mutant("nothing-unparked", "include/slots.lua", "  for _, scope in ipairs(scopes) do unpark(scope) end\n", ""),
    Mutant("unpark-minus-one", "include/parking.lua", "while free > 0 do", "while free > 1 do"),
    Mutant(
        "baton-dropped-when-parking", "include/draining.lua", "if scope[1] ~= full then free_scope(scope[1]) end", ""
    ),
    Mutant(
        "baton-dropped-by-empty-lane",
        "include/parking.lua",
        "    if redis.call('EXISTS', k_queue .. lane) == 1 then\n",
        "    if true then\n",
    ),
    Mutant(
        "baton-dropped-when-leaving",
        "include/lanes.lua",
        "  for _, scope in ipairs(scopes) do free_scope(scope[1]) end\n  pass_turn",
        "  pass_turn",
    ),
    Mutant("timer-not-armed", "include/timers.lua", "  later('ZADD', k_timers, due, member)\n", ""),
    Mutant("timer-not-disarmed", "include/timers.lua", "later('ZREM', k_timers, member)", ""),
    Mutant("wait-armed-again", "arm.lua", "  if row then return row.text end\n", ""),
    Mutant("timer-early", "tick.lua", "'-inf', now, 'LIMIT'", "'-inf', now + 1000, 'LIMIT'"),
    Mutant("dedupe-forgets", "ingest.lua", "if digest ~= '' then remember(digest, event) end", ""),
    Mutant("dedupe-of-this-bucket-only", "ingest.lua", "for back = -1, buckets do", "for back = -1, 0 do"),
    Mutant("crash-not-counted", "include/reaping.lua", "set(run, 'crashes', run.crashes + 1)", ""),
    Mutant(
        "crash-limit-plus-one", "include/reaping.lua", "run.crashes <= crash_limit", "run.crashes <= crash_limit + 1"
    ),
    Mutant("crash-limit-minus-one", "include/reaping.lua", "run.crashes <= crash_limit", "run.crashes < crash_limit"),
    Mutant("crash-counts-idle-runs", "include/reaping.lua", "if executing and crashed", "if crashed"),
    Mutant("crashes-never-cleared", "include/letting_go.lua", "  set(run, 'crashes', 0)\n", ""),
    Mutant(
        "step-recorded-twice",
        "checkpoint.lua",
        "  if row.state == 'done' or row.state == 'failed' then return row.turn end\n",
        "",
    ),
    Mutant(
        "turn-not-counted",
        "include/steps.lua",
        "    set(run, 'turn', run.turn + 1)\n",
        "    set(run, 'turn', run.turn)\n",
    ),
    Mutant("turn-not-shared", "include/steps.lua", "if not run.turned then", "if true then"),
    Mutant("unseen-outcome-ignored", "suspend.lua", "run.turn > seen or ", ""),
    Mutant("suspended-without-wait", "suspend.lua", " or (run.pending == 0 and within == 0)", ""),
    Mutant("body-retried-early", "include/resolving.lua", " and run.notbefore <= now then", " then"),
    Mutant(
        "owner-not-told",
        "include/resolving.lua",
        "  later('SADD', k_news .. session_of(run.token), run.id .. '|' .. key)\n",
        "",
    ),
    Mutant(
        "cancel-not-told",
        "include/cancelling.lua",
        "  later('SADD', k_news .. session_of(run.token), run.id .. '|')\n",
        "",
    ),
    Mutant("cancel-not-forced", "include/cancelling.lua", "    arm_timer(run.id .. '!', now + patience)\n", ""),
    Mutant(
        "cancel-forgotten-by-suspend",
        "suspend.lua",
        "  if run.cancel > 0 then return end_run(run, 'cancelled', '') end\n",
        "",
    ),
    Mutant(
        "cancelled-run-stays-queued",
        "include/ending.lua",
        "  if run.status == 'queued' and run.notbefore == 0 then leave_queue(run) end\n",
        "",
    ),
    Mutant("reaped-without-grace", "tick.lua", "if now >= fact('grace') then", "if true then"),
    Mutant("silent-session-lives", "tick.lua", "'-inf', now - 1, 'LIMIT'", "'-inf', now - 20000, 'LIMIT'"),
    Mutant("crashed-once-is-suspect", "include/scopes.lua", "if run.crashes < 2 then", "if run.crashes < 1 then"),
    Mutant("suspect-not-alone", "include/scopes.lua", "if run.crashes < 2 then", "if true then"),
    Mutant("looked-at-again-never", "suspend.lua", "    arm_timer(run.id .. '|', now + within)\n", ""),
    Mutant(
        "run-created-twice",
        "include/creation.lua",
        "if redis.call('EXISTS', k_run .. rid) == 1 then return 'DUP' end",
        "",
    ),
    Mutant("lease-remembers-one-call", "lease.lua", "session, functions[1], table.concat", "session, '', table.concat"),
    Mutant("raised-limit-unnoticed", "tick.lua", "for _, scope in ipairs(blocked) do review(scope) end\n", ""),
    Mutant(
        "removed-limit-reviewed-once",
        "include/parking.lua",
        "  elseif is_in_force(scope) then\n    redis",
        "  else\n    redis",
    ),
    Mutant(
        "blocked-not-remembered",
        "include/draining.lua",
        "  redis.call('ZADD', k_blocked, 'NX', fact('registry'), full)\n",
        "",
    ),
    Mutant(
        "suspect-uses-up-the-baton",
        "include/parking.lua",
        "if base_of(function_of(lane)) == function_of(lane) then free = free - 1 end",
        "free = free - 1",
    ),
    Mutant("news-for-the-dead", "tick.lua", "write_batches()\n", ""),
    Mutant("time-back-keeps-the-dead", "tick.lua", "    redis.call('ZADD', k_sessions, facts.grace, session)\n", ""),
    Mutant("small-steps-weigh-nothing", "include/describing.lua", "ROW * run.steps", "0"),
    Mutant("answer-of-any-size", "include/describing.lua", "room = room - #record - size - 512", "room = room - 1"),
    Mutant("more-never-said", "lease.lua", "if seek(functions) then answer[2] = 1 end\n", ""),
    Mutant(
        "event-trimmed-undelivered",
        "trim_events.lua",
        "  if time_of(position) >= undelivered then return false end\n",
        "",
    ),
    Mutant(
        "event-trimmed-with-its-runs", "trim_events.lua", "if record and wanted(ids or '', event) then", "if false then"
    ),
    Mutant("event-stays-behind", "trim_runs.lua", "    drop_event(run.event, rid)\n", ""),
    Mutant("event-goes-with-the-first", "include/dropping.lua", "needed = needed or redis", "needed = false and redis"),
    Mutant("run-trimmed-early", "trim_runs.lua", "now - age, 'LIMIT'", "now - age + 1, 'LIMIT'"),
    Mutant(
        "event-trimmed-early", "trim_events.lua", "tonumber(received) > now - age", "tonumber(received) > now - age + 1"
    ),
    Mutant("tombstone-ignored", "include/creation.lua", "if tombstones and redis.call", "if false and redis.call"),
    Mutant("tombstone-stays", "include/creation.lua", "    later('ZREM', k_tombstones, run.id)\n", ""),
    Mutant("no-tombstone", "cancel.lua", "if early == 1 then", "if false then"),
    Mutant("outbox-stays", "delivered.lua", "  redis.call('SREM', k_outboxes, target)\n", ""),
    Mutant("event-not-sent-along", "create.lua", "if answer == 'OK' or answer == 'JOINED' then", "if false then"),
    Mutant("old-registry-adopted", "adopt.lua", "if version < fact('registry') then return fact('registry') end\n", ""),
    Mutant("stale-registry-accepted", "ingest.lua", "if version ~= fact('registry') then", "if false then"),
    Mutant("event-taken-twice", "ingest.lua", "body, 'NX') then return end", "body) then return end"),
    Mutant("crashes-outlive-a-wait", "arm.lua", "  set(run, 'crashes', 0)\n", ""),
    Mutant("conflict-unseen", "checkpoint.lua", "  if row.state == 'pending' then return 'CONFLICT' end\n", ""),
    Mutant("timers-outlive-the-run", "include/ending.lua", "  disarm_all(run)\n", ""),
    Mutant("second-to-resolve-wins", "resolve.lua", "if row.due == 0 or not", "if not"),
    Mutant(
        "steps-over-limit",
        "include/steps.lua",
        "not row and run.steps >= max_steps",
        "not row and run.steps > max_steps",
    ),
    Mutant("bytes-over-limit", "include/steps.lua", "run.bytes + size > max_bytes", "run.bytes > max_bytes"),
    Mutant("event-not-counted", "ingest.lua", "  count('events', '')\n", ""),
    Mutant("creation-not-counted", "include/creation.lua", "  count('created', lane)\n", ""),
    Mutant("start-not-counted", "include/leasing.lua", "  count('started', run.lane)\n", ""),
    Mutant("end-not-counted", "include/ending.lua", "  count(status, run.lane)\n", ""),
    Mutant(
        "every-end-counted-as-good", "include/ending.lua", "count(status, run.lane)", "count('completed', run.lane)"
    ),
    Mutant(
        "failed-wait-not-counted", "include/resolving.lua", "if state == 'failed' then count", "if false then count"
    ),
    Mutant(
        "every-wait-counted-as-failed", "include/resolving.lua", "if state == 'failed' then count", "if true then count"
    ),
    Mutant(
        "retry-of-the-function-not-counted",
        "fail_attempt.lua",
        "now + delay)\n  count('retried', run.lane)\n",
        "now + delay)\n",
    ),
    Mutant(
        "retry-of-a-step-not-counted",
        "fail_attempt.lua",
        "'crashes', 0)\n  count('retried', run.lane)\n",
        "'crashes', 0)\n",
    ),
    Mutant(
        "failed-step-not-counted",
        "checkpoint.lua",
        "  turn_of(run)\n  if state == 'failed' then count_failed(run) end\n",
        "  turn_of(run)\n",
    ),
    Mutant(
        "failed-step-that-was-tried-not-counted",
        "checkpoint.lua",
        "  if state == 'failed' then\n    count_failed(run)\n",
        "  if state == 'failed' then\n",
    ),
    Mutant(
        "good-step-counted-as-failed",
        "checkpoint.lua",
        "  turn_of(run)\n  if state == 'failed'",
        "  turn_of(run)\n  if true",
    ),
    Mutant("failed-steps-not-written", "checkpoint.lua", "write_counts()\n", ""),
    Mutant("counts-not-written", "include/commit.lua", "  write_counts()\n", ""),
    Mutant("one-counted-of-many", "include/counting.lua", "of[lane] = (of[lane] or 0) + 1", "of[lane] = 1"),
    Mutant(
        "one-lane-counted-of-many",
        "include/counting.lua",
        "functions[fn] = (functions[fn] or 0) + number",
        "functions[fn] = number",
    ),
    Mutant("all-is-the-last-lane", "include/counting.lua", "all = all + number", "all = number"),
    Mutant("functions-not-counted", "include/counting.lua", "if fn ~= '' then add", "if false then add"),
    Mutant("all-not-counted", "include/counting.lua", "      add(hour, place, all, ALL_KEPT)\n", ""),
    Mutant("minutes-mixed-up", "include/counting.lua", "minute % 60 * 8", "minute % 30 * 8"),
    Mutant("kept-for-ever", "include/counting.lua", "    redis.call('PEXPIRE', key, kept)\n", ""),
    Mutant("kept-too-short", "include/counting.lua", "691200000, 90000000", "691200000, 9000000"),
]
