"""Faults to seed into what keeps the past of runs; see `engine_mutants`."""

from tests.engine_search import Mutant

MUTANTS = [
    Mutant("turn-not-noted", "suspend.lua", "  note_turn(run, 's')\n", ""),
    Mutant("release-not-noted", "release.lua", "      note_turn(run, 'r')\n", ""),
    Mutant("failed-turn-not-noted", "fail_attempt.lua", "  note_turn(run, 'f', ' ' ", "  local _ = (' ' "),
    Mutant(
        "failed-turn-of-attempt-before",
        "fail_attempt.lua",
        "' ' .. run.attempt .. ' '",
        "' ' .. run.attempt - 1 .. ' '",
    ),
    Mutant("crash-not-noted", "include/reaping.lua", "  note_turn(run, executing and 'x' or 'r')\n", ""),
    Mutant("idle-run-noted-as-crash", "include/reaping.lua", "executing and 'x' or 'r'", "'x'"),
    Mutant("overtaken-not-noted", "tick.lua", "  note_turn(run, 'c')\n", ""),
    Mutant(
        "turn-of-nobody",
        "include/reaping.lua",
        "  note_turn(run, executing and 'x' or 'r')\n  set(run, 'token', '-')\n",
        "  set(run, 'token', '-')\n  note_turn(run, executing and 'x' or 'r')\n",
    ),
    Mutant("ready-not-timed", "include/ready.lua", "if first ~= '0' then", "if false then"),
    Mutant("lease-not-timed", "include/leasing.lua", "begin(run) else begin_again(run) end", "begin(run) end"),
    Mutant("ready-forgotten", "include/leasing.lua", "ready = ready == '' and math", "ready = true and math"),
    Mutant("first-turn-not-queued", "include/noting.lua", "queued = math.max(0, since - run.created)", "queued = 0"),
    Mutant("turn-since-first", "include/noting.lua", " + (tonumber(ready) or 0) + (tonumber(leased) or 0)", " + 0"),
    Mutant("ran-backwards", "include/noting.lua", "math.max(0, now - since)", "(now - since)"),
    Mutant("queued-backwards", "include/leasing.lua", "math.max(0, now - first - ready)", "(now - first - ready)"),
    Mutant("ready-backwards", "include/ready.lua", "math.max(0, now - first)", "(now - first)"),
    Mutant("history-without-bound", "include/noting.lua", "> MOST then drop(rid) end", "> 2 * MOST then drop(rid) end"),
    Mutant("history-minus-one", "include/noting.lua", "> MOST then", ">= MOST then"),
    Mutant("dropped-not-counted", "include/noting.lua", "dropped + DROPPED ..", "dropped + 0 .."),
    Mutant(
        "dropped-time-not-counted", "include/noting.lua", "queued + (before or 0), ran + (within or 0)", "queued, ran"
    ),
    Mutant("dropped-time-anew", "include/noting.lua", "redis.call('HGET', k_run .. rid, 'hd') or '0 0 0'", "'0 0 0'"),
    Mutant("tries-counted-as-turns", "include/noting.lua", "'^[srxcf] %d+", "'^[a-z] %d+"),
    Mutant("try-not-noted", "fail_attempt.lua", "  note(run.id, 't ' .. now", "  local _ = ('t ' .. now"),
    Mutant("last-try-not-noted", "checkpoint.lua", "    note(run.id, 't ' .. now", "    local _ = ('t ' .. now"),
    Mutant("hurrying-not-noted", "resolve.lua", "  note(run.id, 'n ' .. now .. ' 0\\n')\n", ""),
    Mutant("hand-not-noted", "resolve.lua", "  if by then note(rid", "  if by and by ~= 'g' then note(rid"),
    Mutant("waking-not-noted", "resolve.lua", "{due = 'w', retry", "{retry"),
    Mutant("retry-noted-as-wake", "resolve.lua", "retry = 'n'", "retry = 'w'"),
    Mutant("platform-noted-as-hand", "resolve.lua", "(hand == 1 and 'g')", "'g'"),
    Mutant("dead-step-not-noted", "include/reaping.lua", "  if executing then note_steps(run, session) end\n", ""),
    Mutant("dead-step-of-another", "include/reaping.lua", "    if rid == run.id then\n", "    if rid then\n"),
    Mutant("executing-stays-behind", "include/reaping.lua", "session, k_executing .. session, k_card", "session, k_card"),
    Mutant("executed-stays-noted", "executing.lua", "redis.call('DEL', k_executing .. session)\n", ""),
    Mutant("dead-executes", "executing.lua", "if redis.call('ZSCORE', k_dead, session) or not", "if not"),
    Mutant("unknown-executes", "executing.lua", " or not redis.call('ZSCORE', k_sessions, session)", ""),
    Mutant("history-stays-behind", "trim_runs.lua", "k_history .. rid, ", ""),
]
