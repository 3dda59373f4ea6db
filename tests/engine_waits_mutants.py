"""Faults to seed into the scripts of waits, children and controls; see `engine_mutants`."""

from tests.engine_search import Mutant

MUTANTS = [
    Mutant(
        "listed-although-over",
        "enlist.lua",
        "if here == 1 and redis.call('HEXISTS'",
        "if false and redis.call('HEXISTS'",
    ),
    Mutant("listed-before-looking", "enlist.lua", "  if #before > 0 then return before end\n", ""),
    Mutant("looked-at-again", "enlist.lua", "'(' .. after", "after"),
    Mutant("note-stays", "enlist.lua", "  if here == 1 and last == 1 then redis.call('HDEL', k_arming, who) end\n", ""),
    Mutant("note-goes-too-soon", "enlist.lua", "if here == 1 and last == 1 then", "if here == 1 then"),
    Mutant(
        "listed-after-nothing",
        "enlist.lua",
        "redis.call('ZADD', k_waits .. word, after, member)",
        "redis.call('ZADD', k_waits .. word, 0, member)",
    ),
    Mutant("nothing-taken-is-noted", "arm.lua", "redis.call('HGET', k_run .. run.id, 'w:' .. mark) or '0'", "'0'"),
    Mutant("wait-not-noted", "arm.lua", "if waits and elsewhere ~= '' then", "if false then"),
    Mutant("over-and-noted", "arm.lua", "if waits and elsewhere ~= '' then", "if elsewhere ~= '' then"),
    Mutant("child-not-known", "arm.lua", "if invoked then", "if false then"),
    Mutant("child-of-old-registry", "arm.lua", "if tonumber(version) ~= fact('registry') then", "if false then"),
    Mutant("since-later", "arm.lua", "position_now())", "position_now() + 2)"),
    Mutant("since-ever", "arm.lua", "position_now())", "0)"),
    Mutant("place-shared", "hear.lua", "while redis.call('ZCOUNT', key, free, free) > 0 do", "while false do"),
    Mutant("place-not-kept", "hear.lua", "  if known then return string.format('%.0f', tonumber(known)) end\n", ""),
    Mutant("own-position-offered", "hear.lua", "'-inf', '(' .. bound,", "'-inf', bound,"),
    Mutant("heard-for-ever", "hear.lua", "  redis.call('PEXPIRE', key, life)\n", ""),
    Mutant("heard-without-end", "hear.lua", "  redis.call('ZREMRANGEBYRANK', key, 0, -most - 1)\n", ""),
    Mutant("page-of-all", "hear.lua", ", 'LIMIT', 0, 64)", ")"),
    Mutant("outcome-leaves-the-list", "include/resolving.lua", "    leave_lists(run, key, row)\n", ""),
    Mutant("end-leaves-the-list", "include/ending.lua", "  unlist_all(run)\n", ""),
    Mutant("cancel-leaves-the-list", "include/listing.lua", "  if given_up then\n", "  if false then\n"),
    Mutant(
        "stray-not-noted",
        "include/listing.lua",
        "      later('ZADD', k_strays, now, home .. ' ' .. word .. ' ' .. sign .. who)\n",
        "",
    ),
    Mutant("note-outlives-the-wait", "include/listing.lua", "  later('HDEL', k_arming, who)\n", ""),
    Mutant("taken-not-noted", "resolve.lua", "if mark ~= '' then take(rid, mark, position) end", ""),
    Mutant("taken-goes-back", "resolve.lua", "if not last or tonumber(last) < tonumber(position) then", "if true then"),
    Mutant(
        "ended-run-takes",
        "resolve.lua",
        " or not (run.status == 'running' or run.status == 'waiting' or run.status == 'queued')",
        "",
    ),
    Mutant("end-of-child-untold", "include/ending.lua", "string.sub(run.link, 1, 7) == 'invoke '", "false"),
    Mutant("cancel-spares-children", "include/ending.lua", "(status == 'cancelled' and run.pending > 0)", "false"),
    Mutant("ends-told-of-none", "include/ending.lua", "math.floor(fact('tells') / BITS[status]) % 2 == 1", "false"),
    Mutant("ends-told-of-others", "include/ending.lua", "completed = 1, failed = 2", "completed = 2, failed = 1"),
    Mutant("reason-forgotten", "include/ending.lua", "then body = reason_of(run) end", "then body = '' end"),
    Mutant("last-reason-wins", "include/cancelling.lua", "  if run.cancel == 0 then\n", "  if true then\n"),
    Mutant(
        "key-not-remembered",
        "include/refusing.lua",
        "  if digest then redis.call('SET', k_once .. digest,",
        "  if false then redis.call('SET', k_once .. digest,",
    ),
    Mutant("key-for-ever", "include/refusing.lua", "tonumber(over) > now", "true"),
    Mutant("key-forgotten-early", "include/refusing.lua", "tonumber(over) > now", "tonumber(over) > now + 1"),
    Mutant("held-back-silently", "create.lua", "more and answer .. ' ' .. more or answer", "more and 'DUP' or answer"),
    Mutant("cancel-listings-not-owed", "include/creation.lua", "  list(rid, options, notes)\n", ""),
    Mutant("first-cancel-listing-only", "include/owing.lua", "    index = index + 1\n", ""),
    Mutant(
        "start-not-limited", "include/creation.lua", "  if options ~= '-' then arm_start(rid, options, due) end\n", ""
    ),
    Mutant("finish-not-limited", "include/leasing.lua", "    arm_timer(run.id .. '~', now + within)\n", ""),
    Mutant("start-limited-when-begun", "include/leasing.lua", "    disarm_timer(run.id .. '~')\n", ""),
    Mutant(
        "deadline-outlives-the-run",
        "include/ending.lua",
        "then disarm_timer(run.id .. '~') end",
        "then local _ = 1 end",
    ),
    Mutant("settled-nothing", "settle.lua", "redis.call('ZREM', sets[what], who)", "0"),
    Mutant(
        "awaited-again", "await.lua", "if redis.call('HEXISTS', k_apps, what) == 0 or ready == 1 then", "if true then"
    ),
    Mutant(
        "awaited-without-end",
        "await.lua",
        "if new > 0 and redis.call('HLEN', k_apps) + new > most then return 'FULL' end\n",
        "",
    ),
    Mutant("awaited-unversioned", "await.lua", "if new > 0 then return", "if false then return"),
    Mutant("match-not-noted", "ingest.lua", "if words ~= '' then later", "if false then later"),
    Mutant("unlisted-never", "unlist.lua", "redis.call('ZREM', k_waits .. word, member)", "1"),
    Mutant("trimmed-untold", "trim_runs.lua", "if not redis.call('ZSCORE', k_ends, rid) then", "if true then"),
    Mutant(
        "trimmed-unheard", "trim_events.lua", "  if received and tonumber(at) >= unheard then return false end\n", ""
    ),
]
