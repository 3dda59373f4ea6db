"""Every key of a partition, with its type, meaning and owner: this is the data model.

All keys of a partition begin with its hash tag in braces, so they live in one slot and one script may touch them all.
The script loader turns `KEY_NAMES` into Lua locals; Python builds names through `Keys`. Nothing else spells a key.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from redis.crc import key_slot

SLOTS = 16384

KEY_NAMES: Mapping[str, str] = MappingProxyType(
    {
        # HASH format, partitions, registry (version), vt (virtual time), next (the ticker sleeps until), ticked, grace,
        # position (of the last event), tells (which ends events tell of), planned (version of the registry whose
        # schedules are all here), crons (when it was last looked which are due), paused (functions).
        "k_meta": ":meta",
        # HASH app id -> manifest; "#await <name and paths>" -> 1 when what came before is indexed; "#moved <function>"
        # -> where its runs lived before, until none executes there; only in partition 0.
        "k_apps": ":apps",
        # HASH function -> its constraint names; "#name" -> limit, or "throttle <ms between starts> <burst>", by which
        # none may start when the burst is 0. Replaced by each registration.
        "k_limits": ":limits",
        # STREAM of event ids in order of arrival. Trimmed by retention.
        "k_log": ":log",
        # STRING one event: flag "L" (in the log) or "T" (kept only for its runs), received, position, run ids, body.
        "k_event": ":e:",
        # HASH <bucket>:<shard>: digest of a sender's event id -> our event id. Forgotten whole, by key TTL.
        "k_dedupe": ":d:",
        # HASH run header; fields in lua/include/heads.lua. Removed by retention.
        "k_run": ":r:",
        # HASH step key -> row; see lua/include/steps.lua. Removed with its run; until that is created, by key TTL.
        "k_steps": ":s:",
        # ZSET <function>: its run ids, all scores 0, so lexical order is order of creation.
        "k_runs_of": ":runs:",
        # SET of the functions that have runs.
        "k_functions": ":functions",
        # ZSET like those of functions, of all runs that have not ended.
        "k_live": ":live",
        # The same <failed or cancelled>, of runs that ended as failed, or cancelled.
        "k_outcome": ":ended:",
        # ZSET run id -> ms when it ended. Retention eats it from the front.
        "k_ended": ":ended",
        # ZSET <function>: lane -> virtual start time; the lanes that may be leased from.
        "k_lanes": ":lanes:",
        # ZSET <lane>: run id -> rank; the runs that are ready.
        "k_queue": ":q:",
        # ZSET <scope>: lane -> ms since when it waits for a slot of the scope.
        "k_parked": ":parked:",
        # ZSET scopes that have parked lanes -> version of the registry whose limits they were last called up by.
        "k_blocked": ":blocked",
        # ZSET <scope>: run id -> ms since when it holds a slot.
        "k_slots": ":slots:",
        # ZSET session -> ms when it is dead unless it beats.
        "k_sessions": ":sessions",
        # HASH <session>: first function asked for -> call and runs of the last such lease. Removed by reap.
        "k_session": ":session:",
        # HASH <session>: "run|step" of what it has executed for a while -> "attempt ms". Removed by reap.
        "k_executing": ":executing:",
        # SET <session>: the runs it has leased. Removed by reap.
        "k_held": ":held:",
        # SET <session>: "run|step" it has yet to hear of. Removed by its acknowledgement, or by reap.
        "k_news": ":news:",
        # STRING <session>: what its worker says of itself, JSON; see engine/cards.py. Only in partition 0. Removed by
        # the worker, by reap, or by TTL.
        "k_card": ":card:",
        # ZSET session -> ms when it was declared dead; a tombstone.
        "k_dead": ":dead",
        # ZSET "run|step", "run|" (the run itself), "run!" (a cancel that was not heard), "run~" (it has to begin, or
        # to end) or "=scope" (there is room in a throttle) -> ms when due.
        "k_timers": ":timers",
        # STREAM <target partition>: creations not yet delivered to it, in order. Rows go when acknowledged.
        "k_outbox": ":outbox:",
        # SET of the targets that have an outbox.
        "k_outboxes": ":outboxes",
        # ZSET run id -> ms of a cancel that came before its create.
        "k_tombstones": ":tombstones",
        # HASH schedule -> what is known of it; see lua/include/schedules.lua. Goes with the registration that drops it.
        "k_schedules": ":schedules",
        # ZSET schedule -> ms when its next time is fired; not those that are paused. Goes with it.
        "k_crons": ":crons",
        # SET of schedules with times that wait for the run before to end.
        "k_crons_held": ":crons:held",
        # ZSET "event words" of events that somebody may wait for -> position. Removed when all who wait were found.
        "k_matches": ":matches",
        # ZSET <word>: event id -> position; the events that somebody may wait for. Kept as long as events are.
        "k_heard": ":heard:",
        # ZSET <word>: open waits, see lua/include/listing.lua -> position after which an event counts. Removed by what
        # ends the wait; in another partition than the run's, by way of strays.
        "k_waits": ":waits:",
        # ZSET "partition word member" of waits that are over and may still be listed in another partition -> ms since
        # when. Removed when they are off that list.
        "k_strays": ":strays",
        # HASH "run|step" or "run!number" -> what has to be done elsewhere for this wait. Removed when it is.
        "k_arming": ":arming",
        # STRING <digest of a signal>: "run ms step" that waits for it, since when. Removed when it comes, or by TTL.
        "k_signal": ":signal:",
        # STRING <key>: the run that was the first with it, and ms until which no other may have it. Forgotten by TTL.
        "k_once": ":once:",
        # LIST <key>: ms of the last starts that a rate limit has let through. Forgotten by TTL.
        "k_rate": ":rate:",
        # STRING <scope>: ms when the next start of a throttle would be due, had all come evenly. Forgotten by TTL.
        "k_throttle": ":throttle:",
        # STRING <key>: the only run of a singleton. Removed by its end.
        "k_single": ":single:",
        # STRING <key>: the run that gathers events of a debounce or a batch. Removed when it starts, or by TTL.
        "k_gathering": ":gathering:",
        # LIST <run>: the events of a batch behind its first. Removed with the run.
        "k_gathered": ":gathered:",
        # STRING <run that never was>: "JOINED run" or "SKIPPED why", for a creation that comes again. Forgotten by TTL.
        "k_decided": ":decided:",
        # STRING <digest of a request>: the run that was invoked by hand at it. Forgotten by TTL.
        "k_asked": ":asked:",
        # LIST <run>: lines that its code has said, the newest; see lua/log.lua. Removed with the run.
        "k_logs": ":logs:",
        # HASH <run>: step -> how far it says to have come, JSON. Removed with the run.
        "k_progress": ":progress:",
        # LIST <run>: what has happened to it and nothing else tells, the newest; see lua/include/noting.lua. Removed
        # with the run.
        "k_history": ":history:",
        # HASH function -> "mode ms": paused functions. A function's field goes when it is resumed.
        "k_paused": ":paused",
        # STRING <hour>:<function>, or <hour>: of all: what happened in each minute; see lua/include/counting.lua.
        # Forgotten by TTL.
        "k_counts": ":counts:",
        # ZSET run id -> ms when it ended; ends that somebody has to be told of. Removed when they were.
        "k_ends": ":ends",
        # ZSET bulk job -> ms when it ended, +inf until then; only in partition 0. Retention eats it from the front.
        "k_bulks": ":bulks",
        # HASH <bulk job>: what it is to do, and how far it has come; see lua/include/bulk.lua. Removed by retention.
        "k_bulk": ":bulk:",
        # LIST <bulk job>: the first runs that it has created, or else steered. Removed with the job.
        "k_handled": ":handled:",
        # STRING <request>: the bulk job that was made at it. Forgotten by TTL.
        "k_ordered": ":ordered:",
    }
)

PERMANENT = frozenset({"k_meta", "k_apps", "k_limits", "k_log", "k_dead", "k_schedules", "k_crons", "k_paused"})
"""Keys that stay for as long as the platform is installed; retention bounds what is in them."""

FEED = "sw:feed"
"""Channel: one line `run status` per change."""
SAID = "sw:said"
"""Channel: the runs that have said something, one a line."""
ERRAND = "sw:errand:"
"""Channel, with the tag of a partition behind it: something is to be told to others."""
ENDED = "sw:ended"
"""Channel: one line per run that ended, as lua/include/ending.lua writes it and `RunRecord.told` reads it."""
REGISTRY = "sw:registry"
"""Channel: the new registry version."""


def wake_channel(function: str) -> str:
    """Channel that hints that runs of `function` are ready."""
    return f"sw:wake:{function}"


def session_channel(session: str) -> str:
    """Channel that hints that a session has news."""
    return f"sw:session:{session}"


def tick_channel(tag: str) -> str:
    """Channel that hints that a timer was armed that is due before the ticker of the partition wakes."""
    return f"sw:tick:{tag}"


def errand_channel(tag: str) -> str:
    """Channel that hints that there is something to be done for others in the partition."""
    return f"{ERRAND}{tag}"


def crons_channel(tag: str) -> str:
    """Channel that hints that a schedule is due within a second."""
    return f"sw:crons:{tag}"


def partition_tags(count: int) -> tuple[str, ...]:
    """Hash tags of `count` partitions, tag *i* hashing into the i-th of `count` equal ranges of cluster slots."""
    tags: dict[int, str] = {}
    number = 0
    while len(tags) < count:
        tag = f"sw{number}"
        tags.setdefault(key_slot(tag.encode()) * count // SLOTS, tag)
        number += 1
    return tuple(tags[index] for index in range(count))


@dataclass(frozen=True, slots=True)
class Keys:
    """Names of one partition's keys, for reads from Python. `tag` is the hash tag without braces."""

    tag: str

    def name(self, name: str, rest: str = "") -> str:
        """The key called `name` in `KEY_NAMES`, with `rest` behind it."""
        return f"{{{self.tag}}}{KEY_NAMES[name]}{rest}"
