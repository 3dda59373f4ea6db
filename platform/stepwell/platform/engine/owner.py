"""What the owner of a lease may write. Concurrent writes of one process to a partition travel in few calls."""

from dataclasses import dataclass

from stepwell.platform.engine.answers import accepted
from stepwell.platform.engine.partition import Partition
from stepwell.platform.engine.telling import told
from stepwell.platform.records import StepRow


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """What has to be done elsewhere before a wait can end, kept until it is; see lua/arm.lua.

    Args:
        listings: of a wait for events, with semicolons between.
        marks: of its waits, with spaces between.
        child: the run that a step invokes, and behind a space the version of the registry by which it was planned.
        todo: what to do.
    """

    listings: str = ""
    marks: str = ""
    child: str = ""
    todo: bytes = b""


NOTHING = Elsewhere()


class Owner:
    """Writes of one partition under (run, token, seq); each raises `Stale` when the token is not the run's any more.

    `max_steps` and `max_bytes` bound the state of one run; `OverLimit` is raised before anything is written.
    """

    __slots__ = ("_arm", "_checkpoint", "_fail_attempt", "_finish", "_release", "_suspend")

    def __init__(self, partition: Partition, max_steps: int, max_bytes: int) -> None:
        self._checkpoint = partition.group("checkpoint", max_steps, max_bytes)
        self._arm = partition.group("arm", max_steps, max_bytes)
        self._fail_attempt = partition.group("fail_attempt", max_steps, max_bytes)
        self._suspend = partition.group("suspend")
        self._release = partition.group("release")
        self._finish = partition.group("finish")

    async def checkpoint(
        self,
        run: str,
        token: str,
        seq: int,
        key: str,
        kind: str,
        *,
        ok: bool,
        attempts: int,
        took: int,
        payload: bytes,
    ) -> int:
        """Records the outcome of a step once; answers its turn. `took` in ms."""
        state = "done" if ok else "failed"
        answer = await self._checkpoint.add((run, token, seq, key, kind, state, attempts, took, payload))
        return int(accepted(answer))

    async def arm(
        self,
        run: str,
        token: str,
        seq: int,
        key: str,
        kind: str,
        *,
        delay: int | None,
        until: int | None,
        payload: bytes,
        elsewhere: Elsewhere = NOTHING,
    ) -> StepRow:
        """Records a wait of `delay` ms, or until `until` ms UTC; answers the row, which may be an earlier one.

        Raises `Reload` when its child was planned by another registry than the one in force.
        """
        deadline = "" if until is None else until
        owed = elsewhere.listings, elsewhere.marks, elsewhere.child, elsewhere.todo
        answer = await self._arm.add((run, token, seq, key, kind, delay or 0, deadline, *owed, payload))
        return StepRow.parse(key.encode(), accepted(answer))

    async def retry_step(
        self, run: str, token: str, seq: int, key: str, kind: str, *, attempts: int, delay: int, took: int, error: bytes
    ) -> StepRow:
        """Records a failed attempt of a step that is tried again in `delay` ms; answers the row."""
        answer = await self._fail_attempt.add((run, token, seq, key, kind, attempts, delay, took, error, told(error)))
        return StepRow.parse(key.encode(), accepted(answer))

    async def retry_body(self, run: str, token: str, seq: int, *, delay: int, error: bytes) -> None:
        """Ends the lease after a failed attempt of the function body, tried again in `delay` ms."""
        accepted(await self._fail_attempt.add((run, token, seq, "", "body", 0, delay, 0, error, told(error))))

    async def suspend(self, run: str, token: str, seq: int, seen: int, within: int = 0) -> None:
        """Ends the lease of a run whose every branch waits.

        `seen` is the last turn its owner knew of; after `within` ms, unless 0, it is leased again whatever happens.
        """
        accepted(await self._suspend.add((run, token, seq, seen, within)))

    async def release(self, run: str, token: str, seq: int) -> None:
        """Gives a run back to its lane."""
        accepted(await self._release.add((run, token, seq)))

    async def finish(self, run: str, token: str, seq: int, status: str, body: bytes, drift: bytes = b"") -> None:
        """Ends a run as `status` with its output or error.

        `drift`: keys of recorded steps that it has not asked for, a JSON array; empty when there are none.
        """
        accepted(await self._finish.add((run, token, seq, status, body, drift)))
