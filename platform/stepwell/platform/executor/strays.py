"""Runs a session holds and its worker knows nothing of, as after a lease whose answer never came."""

import asyncio
from collections.abc import Container

import structlog

from stepwell.platform.engine.answers import Refusal
from stepwell.platform.engine.owner import Owner
from stepwell.platform.engine.partition import Partition
from stepwell.platform.records import RunRecord

LAST = 1 << 40
"""A sequence number above every other write of a lease."""
SETTLED = 3.0
"""Seconds after which a stray is one: looks may follow each other at once, and an answer may be on its way."""


class Strays:
    """Looks for such runs in one partition, and gives back those that have been strays for a while.

    Should the answer to their lease come after all, its writes are refused as stale, and nothing is lost.
    """

    __slots__ = ("_owner", "_partition", "_since")

    def __init__(self, partition: Partition, owner: Owner) -> None:
        self._partition = partition
        self._owner = owner
        self._since: dict[str, float] = {}

    async def release(self, session: str, held: int, known: Container[str]) -> None:
        """Compares the number of runs `held` with those `known`, and releases strays."""
        if held == 0:
            self._since.clear()
            return
        now = asyncio.get_running_loop().time()
        members = await self._partition.read("SMEMBERS", self._partition.keys.name("k_held", session))
        strays = [name for name in map(bytes.decode, members) if name not in known]
        self._since = {run: self._since.get(run, now) for run in strays}
        for run in [run for run, since in self._since.items() if now - since >= SETTLED]:
            await self._release(session, run)

    async def _release(self, session: str, run: str) -> None:
        flat = await self._partition.read("HGETALL", self._partition.keys.name("k_run", run))
        header = RunRecord.parse(run, dict(zip(flat[::2], flat[1::2], strict=True)))
        structlog.get_logger().warning("stray_run_released", run=run, session=session)
        try:
            await self._owner.release(run, header.token, LAST)
        except Refusal:
            return
