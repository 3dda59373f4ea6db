"""Moving: runs of a function that live elsewhere since a deploy begin when no older ones execute where those are."""

import asyncio
from collections.abc import Sequence

import structlog

from stepwell.platform.engine.partition import Partition
from stepwell.platform.errors import StepwellError
from stepwell.platform.flow.moves import EVERYWHERE, Homes
from stepwell.platform.ids import home_of
from stepwell.platform.reading.busy import is_busy
from stepwell.platform.registry import Registry

PERIOD = 1.0
"""Seconds between two looks."""


class Moving:
    """Ends the moves of functions. Any number of processes may do so at once.

    Args:
        partitions: all of them.
        registry: knows the moves.
    """

    __slots__ = ("_partitions", "_registry")

    def __init__(self, partitions: Sequence[Partition], registry: Registry) -> None:
        self._partitions = partitions
        self._registry = registry

    async def run(self) -> None:
        """Looks until cancelled."""
        while True:
            try:
                await self.settle()
            except StepwellError as error:
                structlog.get_logger().warning("moves_not_settled", error=str(error))
            await asyncio.sleep(PERIOD)

    async def settle(self) -> None:
        """Ends the moves of those functions whose old homes have nothing left to execute. Raises `StepwellError`."""
        snapshot = await self._registry.catch_up()
        over = {function: homes for function, homes in snapshot.moves.items() if not await self._left(function, homes)}
        if over:
            await self._registry.settle(over)

    async def _left(self, function: str, homes: Homes) -> bool:
        registered = self._registry.snapshot.functions.get(function)
        if registered is None:
            return False
        count = len(self._partitions)
        old = set(range(count)) if EVERYWHERE in homes else {home_of(home, count) for home in homes}
        left = sorted(old - {home_of(registered.home, count)})
        return any([await is_busy(self._partitions[number], function) for number in left])
