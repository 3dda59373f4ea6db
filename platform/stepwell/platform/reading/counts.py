"""How many there are of what, at a cost that does not grow with the number of runs that have ended."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from stepwell.platform.engine.cards import Card, Cards
from stepwell.platform.engine.partition import Partition
from stepwell.platform.reading.headers import headers_of
from stepwell.platform.records import Status

MOST_EXAMINED = 2_000


@dataclass(frozen=True, slots=True)
class Counts:
    """Runs that are kept, by status. `queued` and `waiting` are `None` when more than 2,000 have not ended.

    `unfinished` counts all that have not ended; it is exact, and so are those that have.
    """

    queued: int | None
    running: int
    waiting: int | None
    unfinished: int
    completed: int
    failed: int
    cancelled: int


@dataclass(frozen=True, slots=True)
class WorkerSession:
    """A worker that has leased lately: the runs it holds, and when it counts as dead unless it beats, ms UTC.

    `card` is what it says of itself, if it does.
    """

    id: str
    running: int
    expires: int
    card: Card | None = None


async def counts_of(partitions: Sequence[Partition]) -> Counts:
    """The runs of all partitions."""
    sizes = await asyncio.gather(*map(_sizes, partitions))
    live, ended, failed, cancelled = (sum(column) for column in zip(*sizes, strict=True))
    queued, running, waiting = await _unfinished(partitions, live)
    return Counts(queued, running, waiting, live, ended - failed - cancelled, failed, cancelled)


async def _sizes(partition: Partition) -> list[int]:
    name = partition.keys.name
    keys = name("k_live"), name("k_ended"), name("k_outcome", "failed"), name("k_outcome", "cancelled")
    sizes: list[int] = await asyncio.gather(*[partition.read("ZCARD", key) for key in keys])
    return sizes


async def _unfinished(partitions: Sequence[Partition], live: int) -> tuple[int | None, int, int | None]:
    if live > MOST_EXAMINED:
        return None, sum(session.running for session in await sessions_of(partitions)), None
    lists = await asyncio.gather(*[part.read("ZRANGE", part.keys.name("k_live"), 0, -1) for part in partitions])
    headers = await headers_of(partitions, [run.decode() for runs in lists for run in runs])
    by = Counter(run.status for run in headers if run)
    return by[Status.QUEUED], by[Status.RUNNING], by[Status.WAITING]


async def sessions_of(partitions: Sequence[Partition]) -> list[WorkerSession]:
    """The sessions of all partitions, each once, that have not been declared dead."""
    found: dict[str, WorkerSession] = {}
    for sessions in await asyncio.gather(*map(_sessions, partitions)):
        for session in sessions:
            known = found.get(session.id, WorkerSession(session.id, 0, 0))
            expires = max(known.expires, session.expires)
            found[session.id] = WorkerSession(session.id, known.running + session.running, expires)
    return sorted(found.values(), key=lambda session: session.id)


async def workers_of(partitions: Sequence[Partition]) -> list[WorkerSession]:
    """The same with their cards."""
    sessions = await sessions_of(partitions)
    cards = await Cards(partitions[0]).of([session.id for session in sessions])
    return [replace(session, card=card) for session, card in zip(sessions, cards, strict=True)]


async def _sessions(partition: Partition) -> list[WorkerSession]:
    keys = partition.keys
    flat: list[bytes] = await partition.read("ZRANGE", keys.name("k_sessions"), "(0", "+inf", "BYSCORE", "WITHSCORES")
    names = [name.decode() for name in flat[::2]]
    held = await asyncio.gather(*[partition.read("SCARD", keys.name("k_held", name)) for name in names])
    return [
        WorkerSession(name, running, int(float(expires)))
        for name, running, expires in zip(names, held, flat[1::2], strict=True)
    ]
