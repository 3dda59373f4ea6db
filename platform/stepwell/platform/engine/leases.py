"""Sessions and what they hold: leasing, beating, and taking back from the dead."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Literal

import structlog

from stepwell.platform.codec import encode
from stepwell.platform.engine.gathered import records_of
from stepwell.platform.engine.partition import Partition
from stepwell.platform.records import EventRecord, Lease, StepRow

LOST = "the event of this run is not in Redis any more: send it again, and see who else removes keys there"
EVENT = 9
"""Where the event is in what a script says of a run."""
UNKNOWN: Mapping[str, str] = MappingProxyType({})


class SessionDead(Exception):
    """The session was declared dead: whatever it holds belongs to others now."""


@dataclass(frozen=True, slots=True)
class Leased:
    """Runs that were leased; `more` when ready runs were left for want of room in the answer."""

    leases: tuple[Lease, ...]
    more: bool


@dataclass(frozen=True, slots=True)
class Pulse:
    """What a beat brings back: runs held, and news as (run, step); an empty step asks to cancel the run."""

    held: int
    news: tuple[tuple[str, str], ...]


class Leases:
    """The sessions of one partition. `expiry`: ms of silence after which a session may be declared dead."""

    __slots__ = ("_crash_limit", "_expiry", "_partition")

    def __init__(self, partition: Partition, expiry: int, crash_limit: int) -> None:
        self._partition = partition
        self._expiry = expiry
        self._crash_limit = crash_limit

    async def lease(
        self,
        session: str,
        call: str,
        count: int,
        functions: Iterable[str],
        versions: Mapping[str, str] = UNKNOWN,
    ) -> Leased:
        """Leases up to `count` runs of up to 64 `functions`; the same `call` brings the same runs.

        `versions`: those the session executes of the functions' apps. Raises `SessionDead`.
        """
        items = [(function, versions.get(function, "")) for function in functions]
        answer = await self._partition.script("lease", session, call, self._expiry, count, items=items)
        if answer[0] == b"DEAD":
            raise SessionDead(session)
        leases = [await self._whole(run) for run in answer[2:] if run[EVENT]]
        for run in answer[2:]:
            if not run[EVENT]:
                await self._fail(run)
        return Leased(tuple(leases), more=bool(answer[1]))

    async def _fail(self, run: list[Any]) -> None:
        """Ends a run whose event is not there. Nothing of ours removes it; whoever has, is to hear of it."""
        structlog.get_logger().error("event_gone_before_its_run", run=run[0].decode())
        error = encode({"type": "EventLost", "message": LOST, "traceback": []})
        await self._partition.script("finish", items=[(run[0], run[1], 1, "failed", error, "")])

    async def _whole(self, run: list[Any]) -> Lease:
        """A run with all the events of its batch, which may be large together."""
        *header, others = run
        lease = _lease(header)
        if not others:
            return lease
        events = records_of(self._partition, [id.decode() for id in others])
        return replace(lease, others=tuple([event async for event in events]))

    async def beat(self, session: str, heard: Sequence[tuple[str, str]] = ()) -> Pulse:
        """Keeps the session alive; `heard` is news that need not be told again. Raises `SessionDead`."""
        items = [(f"{run}|{step}",) for run, step in heard]
        answer = await self._partition.script("beat", session, self._expiry, items=items)
        if answer[0] == b"DEAD":
            raise SessionDead(session)
        return Pulse(answer[1], tuple(_news(item) for item in answer[2:]))

    async def executing(self, session: str, steps: Sequence[tuple[str, str, int, int]]) -> None:
        """Notes which steps, at most 64, it has been executing for a while: run, step, attempt, ms so far."""
        await self._partition.script("executing", session, items=steps)

    async def reap(self, session: str, executing: Sequence[str], rest: Literal["executing", "idle"]) -> None:
        """Ends a session: runs in `executing` count a crash, and the others too if `rest` says so."""
        for first in range(0, len(executing), 64):
            await self._reap(session, rest, executing[first : first + 64])
        while await self._reap(session, rest, ()):
            pass

    async def _reap(self, session: str, rest: str, runs: Sequence[str]) -> int:
        return int(
            await self._partition.script("reap", session, self._crash_limit, rest, items=[(run,) for run in runs])
        )


def _news(item: bytes) -> tuple[str, str]:
    run, _, step = item.decode().partition("|")
    return run, step


def _lease(run: list[Any]) -> Lease:
    name, token, lane, turn, steps, attempt, crashes, version, event, record, rows = run
    return Lease(
        run=name.decode(),
        token=token.decode(),
        lane=lane.decode(),
        turn=int(turn),
        steps=int(steps),
        attempt=int(attempt),
        crashes=int(crashes),
        version=version.decode(),
        event=EventRecord.parse(event.decode(), record),
        rows=None if isinstance(rows, int) else _rows(rows),
    )


def _rows(flat: list[bytes]) -> tuple[StepRow, ...]:
    return tuple(StepRow.parse(flat[at], flat[at + 1]) for at in range(0, len(flat), 2))
