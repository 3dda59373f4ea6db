"""Moving: runs of a function that live elsewhere since a deploy begin when no older ones execute where those are."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from stepwell.platform.engine.partition import Partition
from stepwell.platform.errors import StepwellError
from stepwell.platform.flow.moves import Homes, held_in, partitions_with
from stepwell.platform.ids import home_of
from stepwell.platform.reading.executing import executing_in
from stepwell.platform.reading.unbegun import has_unbegun
from stepwell.platform.registry import Registry
from stepwell.platform.snapshot import Snapshot

PERIOD = 0.5
"""Seconds between two looks."""
LOOKS = 2
"""In a row that have to find nothing that has not begun: a run may be on its way from one place to the next."""

Row = tuple[int, int]
"""The id of a row of an outbox: ms, and a number."""


@dataclass(slots=True)
class Watch:
    """What was seen of a function in its oldest home.

    Args:
        rows: the last row of each outbox to it, by source and target, when all partitions knew of the move; `None`
            before that.
        quiet: looks in a row that have found nothing that has not begun.
        executing: the runs that executed after these, with their tokens, and have done so ever since; `None` before.
    """

    rows: dict[tuple[int, int], Row] | None = None
    quiet: int = 0
    executing: set[tuple[str, str]] | None = None


class Moving:
    """Ends the moves of functions. Any number of processes may do so at once.

    Args:
        partitions: all of them.
        registry: knows the moves.
    """

    __slots__ = ("_partitions", "_registry", "_watches")

    def __init__(self, partitions: Sequence[Partition], registry: Registry) -> None:
        self._partitions = partitions
        self._registry = registry
        self._watches = dict[tuple[str, Homes], Watch]()

    async def run(self) -> None:
        """Looks until cancelled."""
        while True:
            try:
                await self.settle()
            except StepwellError as error:
                structlog.get_logger().warning("moves_not_settled", error=str(error))
            await asyncio.sleep(PERIOD)

    async def settle(self) -> None:
        """Forgets the oldest homes of which nothing is left. Raises `StepwellError`, after having seen to all."""
        moves = (await self._registry.catch_up()).moves.items()
        self._watches = {move: self._watches.get(move, Watch()) for move in moves}
        failures = list[StepwellError]()
        for (function, move), watch in sorted(self._watches.items()):
            try:
                await self._look(function, move, watch)
            except StepwellError as error:
                failures.append(error)
        if failures:
            raise failures[0]

    async def _look(self, function: str, move: Homes, watch: Watch) -> None:
        snapshot = self._registry.snapshot
        if snapshot.moves.get(function) == move and await self._is_over(snapshot, function, move, watch):
            await self._registry.settle(snapshot, function, move)

    async def _is_over(self, snapshot: Snapshot, function: str, move: Homes, watch: Watch) -> bool:
        count, registered = len(self._partitions), snapshot.functions.get(function)
        if registered is None:
            return True
        old = partitions_with(move[0], count)
        if move[0] != registered.home and old == {home_of(registered.home, count)}:
            return True  # It has another name for the same partition.
        if not await self._is_known(snapshot, old, watch) or not await self._are_delivered(watch):
            return False
        held = held_in(move, registered.home, count)
        return await self._have_begun(function, sorted(old - held), watch) and await self._have_let_go(
            function, sorted(old), watch
        )

    async def _is_known(self, snapshot: Snapshot, old: set[int], watch: Watch) -> bool:
        """Whether all partitions know of the move, so that nothing is sent to the old home any more."""
        if watch.rows is not None:
            return True
        for partition in self._partitions:
            version = await partition.read("HGET", partition.keys.name("k_meta"), "registry")
            if int(version or 0) < snapshot.version:
                await self._registry.refresh()
                return False
        watch.rows = {
            (source.index, target): row
            for source in self._partitions
            for target in sorted(old - {source.index})
            if (row := await _row(source, target, "XREVRANGE", "+", "-"))
        }
        return True

    async def _are_delivered(self, watch: Watch) -> bool:
        """Whether what was on its way to the old home has arrived."""
        for (source, target), last in (watch.rows or {}).items():
            first = await _row(self._partitions[source], target, "XRANGE", "-", "+")
            if first and first <= last:
                return False
        return True

    async def _have_begun(self, function: str, old: Sequence[int], watch: Watch) -> bool:
        """Whether nothing is left there that may begin."""
        if watch.quiet < LOOKS:
            for number in old:
                if await has_unbegun(self._partitions[number], function):
                    watch.quiet = 0
                    return False
            watch.quiet += 1
        return watch.quiet >= LOOKS

    async def _have_let_go(self, function: str, old: Sequence[int], watch: Watch) -> bool:
        """Whether what executed when nothing was left to begin has slept, waited or ended since."""
        runs = [run for number in old for run in await executing_in(self._partitions[number])]
        # By their tokens: those that have gone on since had slept or waited, and are counted where they are.
        now = {(run.id, run.token) for run in runs if run.function == function}
        watch.executing = now if watch.executing is None else watch.executing & now
        return not watch.executing


async def _row(source: Partition, target: int, command: str, first: str, last: str) -> Row | None:
    key = source.keys.name("k_outbox", str(target))
    rows: Sequence[tuple[bytes, object]] = await source.read(command, key, first, last, "COUNT", 1)
    if not rows:
        return None
    ms, _, number = rows[0][0].decode().partition("-")
    return int(ms), int(number)
