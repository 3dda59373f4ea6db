"""The journal of a run whose worker may die at any of its steps."""

from collections.abc import Mapping, Sequence
from typing import Any

from stepwell.functions.journal import Outcome
from stepwell.platform.engine.owner import NOTHING, Elsewhere, Owner
from stepwell.platform.executor.journal import RunJournal
from stepwell.platform.ingest import Ingest
from stepwell.platform.records import Lease
from stepwell.platform.testing.life import Life
from stepwell.platform.waits.waits import Waits


class MortalJournal(RunJournal):
    """Records as `RunJournal` does, for as long as the worker lives; no body takes any of the platform's time.

    Args:
        lease, owner, ingest, waits, max_event: see `RunJournal`.
        life: of the worker.
    """

    __slots__ = ("_function", "_life")

    def __init__(self, lease: Lease, owner: Owner, ingest: Ingest, waits: Waits, max_event: int, life: Life) -> None:
        super().__init__(lease, owner, ingest, waits, max_event)
        self._function = lease.function
        self._life = life

    async def checkpoint(self, key: str, kind: str, ok: bool, attempts: int, took: int, payload: bytes) -> int:
        """See `RunJournal`. `took` is real time, in which the platform's stood still."""
        await self._life.pass_by("before", self._function, key)
        turn = await super().checkpoint(key, kind, ok, attempts, 0, payload)
        self._life.end(self._run, key)
        await self._life.pass_by("after", self._function, key)
        return turn

    async def _arm(
        self,
        key: str,
        kind: str,
        payload: bytes,
        delay: int | None,
        until: int | None,
        elsewhere: Elsewhere = NOTHING,
    ) -> Outcome:
        await self._life.pass_by("before", self._function, key)
        armed = await super()._arm(key, kind, payload, delay, until, elsewhere)
        self._life.end(self._run, key)
        await self._life.pass_by("after", self._function, key)
        return armed

    async def retry(self, key: str, kind: str, attempts: int, delay: int, took: int, error: bytes) -> Outcome:
        """See `RunJournal`. A worker does not die after it: what comes after a step is its outcome."""
        await self._life.pass_by("before", self._function, key)
        retried = await super().retry(key, kind, attempts, delay, 0, error)
        self._life.end(self._run, key)
        await self._life.survive()
        return retried

    async def send(self, key: str, events: Sequence[Mapping[str, Any]]) -> list[str]:
        """See `RunJournal`."""
        await self._life.survive()
        return await super().send(key, events)
