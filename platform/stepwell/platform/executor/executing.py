"""Tells which steps a worker has been executing for longer than a moment, so that they are seen before they end."""

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from stepwell.platform.engine.leases import Leases
from stepwell.platform.executor.work import Work

MOMENT = 1_000
"""Ms that a body executes before it is told of: what is short is never written down."""
MOST = 64

Step: TypeAlias = tuple[str, str, int]
"""Run, key and attempt."""


class Executing:
    """What one partition was told of, by one session."""

    __slots__ = ("_leases", "_session", "_told")

    def __init__(self, leases: Leases, session: str) -> None:
        self._leases = leases
        self._session = session
        self._told: frozenset[Step] = frozenset()

    async def tell(self, works: Mapping[str, Work], home: Sequence[str]) -> None:
        """Tells of the steps of the runs `home`, if they are others than before. Raises `StepwellError`."""
        # Some have ended while other partitions were told.
        there = [(run, works[run]) for run in home if run in works]
        found = [
            (run, key, attempt, took)
            for run, work in there
            for key, attempt, took in work.execution.executing
            if took >= MOMENT
        ]
        oldest = sorted(found, key=lambda step: -step[3])[:MOST]
        steps = frozenset(step[:3] for step in oldest)
        if steps != self._told:
            await self._leases.executing(self._session, oldest)
            self._told = steps
