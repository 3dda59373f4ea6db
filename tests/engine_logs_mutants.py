"""Faults to seed into what keeps the words of runs; see `engine_mutants`."""

from tests.engine_search import Mutant

MUTANTS = [
    Mutant(
        "log-token-not-compared", "log.lua", "return string.match(head or '', '^%S+ (%S+)') == token", "return head"
    ),
    Mutant("no-last-words", "log.lua", "'^%S+ (%S+)')", "'^running (%S+)')"),
    Mutant("log-without-bound", "log.lua", "kept > most_lines or bytes > most_bytes", "bytes > most_bytes"),
    Mutant("log-lines-minus-one", "log.lua", "kept > most_lines or", "kept >= most_lines or"),
    Mutant("log-bytes-unbounded", "log.lua", "kept > most_lines or bytes > most_bytes", "kept > most_lines"),
    Mutant("log-bytes-never-freed", "log.lua", "bytes = bytes - #redis.call('LPOP', key)", "redis.call('LPOP', key)"),
    Mutant("log-repeat-unknown", "log.lua", "if by == token and seq <= tonumber(last) then return end", ""),
    Mutant("log-repeat-of-other-lease", "log.lua", "if by == token and seq", "if seq"),
    Mutant("log-lost-uncounted", "log.lua", "said, kept, bytes = said + lost, ", "said, kept, bytes = said, "),
    Mutant("log-lost-in-the-middle", "log.lua", "    redis.call('DEL', key)\n    kept, bytes = 0, 0\n", ""),
    Mutant("log-stays-behind", "trim_runs.lua", ", k_logs .. rid, k_progress", ", k_progress"),
    Mutant("progress-stays-behind", "trim_runs.lua", ", k_logs .. rid, k_progress .. rid)", ", k_logs .. rid)"),
    Mutant("progress-of-run-unknown", "log.lua", "  redis.call('HSET', k_run .. rid, 'p', progress)\n", ""),
    Mutant("progress-of-step-unknown", "log.lua", "if step ~= '' then redis", "if false then redis"),
    Mutant("follower-told-of-nothing", "log.lua", "    if not heard[rid] then news[#news + 1] = rid end\n", ""),
    Mutant("follower-told-twice", "log.lua", "    if not heard[rid] then news", "    if true then news"),
]
