"""Faults to seed into the scripts of steering; see `engine_search`."""

from tests.engine_search import Mutant

MUTANTS = [
    Mutant(
        "asked-of-nothing", "ask_again.lua", "if redis.call('EXISTS', k_run .. run) == 0 then return 'GONE' end\n", ""
    ),
    Mutant("request-forgotten", "ask_again.lua", "if known then return known end\n", ""),
    Mutant(
        "nobodys-request-noted",
        "ask_again.lua",
        "if request ~= '' then redis.call('HSET'",
        "if true then redis.call('HSET'",
    ),
    Mutant(
        "asked-without-end", "ask_again.lua", ">= most then return 'FULL' end", ">= most + 1e9 then return 'FULL' end"
    ),
    Mutant("asked-once-more", "ask_again.lua", ">= most then return 'FULL' end", "> most then return 'FULL' end"),
    Mutant("requests-not-counted", "ask_again.lua", "redis.call('HINCRBY', k_run .. run, 'reruns', 1)\n", ""),
    Mutant("invoked-twice", "invoke.lua", "if known then return known end\n", ""),
    Mutant("invoked-for-ever", "invoke.lua", ", 'PX', life)", ")"),
    Mutant("invoked-without-event", "invoke.lua", "if answer == 'OK' then redis", "if answer == 'NEVER' then redis"),
    Mutant(
        "refused-is-noted",
        "invoke.lua",
        "  write_position()\n  commit()\n  return",
        "  redis.call('SET', k_asked .. request, rid)\n  return",
    ),
    Mutant(
        "copied-over-a-run", "copy_steps.lua", "if redis.call('EXISTS', k_run .. run) == 1 then return 'DUP' end\n", ""
    ),
    Mutant("copied-for-ever", "copy_steps.lua", "redis.call('PEXPIRE', k_steps .. run, life)\n", ""),
    Mutant("copied-nothing", "copy_steps.lua", "redis.call('HSET', k_steps .. run, key, row)", "local _ = key .. row"),
    Mutant("rerun-twice", "rerun.lua", "if redis.call('EXISTS', k_run .. rid) == 1 then return 'DUP' end\n", ""),
    Mutant(
        "rerun-without-event",
        "rerun.lua",
        "redis.call('EXISTS', k_event .. event) == 0 then return 'GONE' end",
        "false then return 'GONE' end",
    ),
    Mutant("rerun-without-end", "rerun.lua", "if full() then return 'FULL' end\n", ""),
    Mutant("rerun-one-more", "rerun.lua", "+ 1 >= most * 27", "+ 1 > most * 27"),
    Mutant(
        "rerun-incomplete", "rerun.lua", "~= steps then return 'INCOMPLETE' end", "> steps then return 'INCOMPLETE' end"
    ),
    Mutant("steps-of-rerun-expire", "rerun.lua", "redis.call('PERSIST', k_steps .. rid)\n", ""),
    Mutant(
        "fields-not-copied",
        "rerun.lua",
        "for field, value in items() do redis.call('HSET', k_run .. rid, field, value) end\n",
        "",
    ),
    Mutant("event-does-not-know-rerun", "rerun.lua", "keep_event()\nwrite_position", "write_position"),
    Mutant("event-forgets-others", "rerun.lua", "(ids == '' and '' or ids .. ',') .. rid", "rid"),
    Mutant("event-known-is-replaced", "rerun.lua", "  if known then\n", "  if known and record == '' then\n"),
    Mutant("turn-of-rerun-is-none", "rerun.lua", "turn .. ' ' .. steps", "0 .. ' ' .. steps"),
    Mutant("bytes-of-rerun-are-none", "rerun.lua", "steps .. ' ' .. bytes\n", "steps .. ' 0'\n"),
    Mutant("rerun-is-no-rerun", "rerun.lua", "options, link, notes", "options, '', notes"),
    Mutant("event-moved-anew", "include/keeping.lua", "if string.sub(record, 1, 1) ~= 'N' then", "if false then"),
    Mutant(
        "event-brought-is-as-it-was", "include/keeping.lua", "if string.sub(record, 1, 1) ~= 'N' then", "if true then"
    ),
    Mutant("retry-wakes", "resolve.lua", "(state == 'retry' and row.state ~= 'retrying') or ", ""),
    Mutant("wake-retries", "resolve.lua", " or (state == 'due' and row.state ~= 'pending')", ""),
    Mutant(
        "body-not-hurried",
        "resolve.lua",
        "  set(run, 'notbefore', 0)\n  make_ready(run)\n",
        "  set(run, 'notbefore', 0)\n",
    ),
    Mutant("body-hurried-twice", "resolve.lua", "run.status ~= 'waiting' or run.notbefore <= 0", "run.notbefore < 0"),
]
