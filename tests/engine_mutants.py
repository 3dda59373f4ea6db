"""Faults to seed into the Lua scripts, one at a time; the stateful test has to find each."""

from dataclasses import dataclass
from pathlib import Path
from shutil import copytree

from stepwell.platform.store.scripts import LUA


@dataclass(frozen=True, slots=True)
class Mutant:
    """A replacement of text in one script."""

    name: str
    file: str
    old: str
    new: str

    def plant(self, folder: Path) -> Path:
        """A copy of the scripts, in a folder of its own under `folder`, with the fault in it."""
        place = folder / self.name
        copytree(LUA, place)
        script = place / self.file
        text = script.read_text()
        assert text.count(self.old) == 1, f"{self.name}: {self.old!r} is not once in {self.file}"
        script.write_text(text.replace(self.old, self.new))
        return place


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
    Mutant("repeated-lease-gets-others", "lease.lua", "if repeated() then return answer end", ""),
    Mutant("dead-session-leases", "lease.lua", "if redis.call('ZSCORE', k_dead, session) then return {'DEAD'} end", ""),
    Mutant("dead-session-beats", "beat.lua", "if redis.call('ZSCORE', k_dead, session) then return {'DEAD'} end", ""),
    Mutant("slot-not-released", "include/lanes.lua", "    redis.call('ZREM', k_slots .. scope, run.id)\n", ""),
    Mutant("slot-not-taken", "lease.lua", "redis.call('ZADD', k_slots .. scope[1], now, rid)", ""),
    Mutant("limit-plus-one", "lease.lua", "local free = scope[2] - redis", "local free = scope[2] + 1 - redis"),
    Mutant("limit-minus-one", "lease.lua", "local free = scope[2] - redis", "local free = scope[2] - 1 - redis"),
    Mutant(
        "first-scope-only",
        "lease.lua",
        "    wanted = math.min(wanted, free)\n",
        "    return math.min(wanted, free), nil\n",
    ),
    Mutant("nothing-unparked", "include/lanes.lua", "  for _, scope in ipairs(scopes) do unpark(scope) end\n", ""),
    Mutant("unpark-minus-one", "include/lanes.lua", "while free > 0 do", "while free > 1 do"),
    Mutant("baton-dropped-when-parking", "lease.lua", "if scope[1] ~= full then free_scope(scope[1]) end", ""),
    Mutant(
        "baton-dropped-by-empty-lane",
        "include/lanes.lua",
        "    if redis.call('EXISTS', k_queue .. parked[1]) == 1 then\n"
        "      activate(parked[1])\n      free = free - 1\n    end\n",
        "    activate(parked[1])\n    free = free - 1\n",
    ),
    Mutant(
        "baton-dropped-when-leaving",
        "include/lanes.lua",
        "  retire(lane)\n  for _, scope in ipairs(scopes_of(lane)) do free_scope(scope[1]) end\nend\n\n"
        "local function free_slots",
        "  retire(lane)\nend\n\nlocal function free_slots",
    ),
    Mutant("timer-not-armed", "include/timers.lua", "  later('ZADD', k_timers, due, member)\n", ""),
    Mutant("timer-not-disarmed", "include/timers.lua", "later('ZREM', k_timers, member)", ""),
    Mutant("wait-armed-again", "arm.lua", "  if row then return row.text end\n", ""),
    Mutant("timer-early", "tick.lua", "'-inf', now, 'LIMIT'", "'-inf', now + 1000, 'LIMIT'"),
    Mutant("dedupe-forgets", "ingest.lua", "if digest ~= '' then remember(digest, event) end", ""),
    Mutant("dedupe-of-this-bucket-only", "ingest.lua", "for back = 0, buckets do", "for back = 1, buckets do"),
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
    Mutant("cancel-not-told", "cancel.lua", "  later('SADD', k_news .. session_of(run.token), run.id .. '|')\n", ""),
    Mutant("cancel-not-forced", "cancel.lua", "    arm_timer(run.id .. '!', now + patience)\n", ""),
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
    Mutant("crashed-once-is-suspect", "include/lanes.lua", "if run.crashes < 2 then", "if run.crashes < 1 then"),
    Mutant("suspect-not-alone", "include/lanes.lua", "if run.crashes < 2 then", "if true then"),
    Mutant("looked-at-again-never", "suspend.lua", "    arm_timer(run.id .. '|', now + within)\n", ""),
    Mutant(
        "run-created-twice",
        "include/creation.lua",
        "if redis.call('EXISTS', k_run .. rid) == 1 then return false end",
        "",
    ),
]
