"""The bulk jobs there are, each method one script or one read."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, cast

from stepwell.platform.bulk.job import Job
from stepwell.platform.bulk.order import BulkOrder
from stepwell.platform.engine.partition import Partition
from stepwell.platform.ids import digest_of, is_id, new_id
from stepwell.platform.steering.refusals import NotNow, Unfit

MOST_AT_ONCE = 10
"""Jobs that may go on at the same time."""
MOST_KEPT = 1_000
"""Ids of runs that are kept of a job."""
MOST_REASONS = 16
"""Reasons of refusals that are counted apart."""
MOST_REQUEST = 128
"""Characters of the id of a request."""
LIFE = 86_400_000
"""Ms for which a request is known."""
MOST_ENDED = 1_000
"""Jobs that are kept when they have ended; of so many the oldest goes."""
BATCH = 64
TTL = 15_000
"""Ms for which a job is somebody's who is not heard of."""

Noted = Literal["OK", "OVER", "LOST"]
Stopped = Literal["OK", "OVER", "GONE"]
Resumed = Literal["OK", "OVER", "GONE"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a run: `made`, the run that is to be kept; or the `reason` why it was refused."""

    run: str
    made: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Note:
    """How far a job has come, besides what it had; see `Job`. `ending` is how it has ended, if it has."""

    cursor: str
    todo: Sequence[str] = ()
    outcomes: Sequence[Outcome] = ()
    searched: int = 0
    total: int = 0
    undecided: int = 0
    matched: int = 0
    ending: Literal["", "done", "failed"] = ""
    problem: str = ""


class Jobs:
    """The jobs, which are all in one partition. Every method may raise `StepwellError` when that is out of reach.

    Args:
        home: the first partition.
    """

    __slots__ = ("_home",)

    def __init__(self, home: Partition) -> None:
        self._home = home

    async def begin(self, order: BulkOrder, by: str, request: str | None = None, *, all_runs: bool = False) -> str:
        """Makes a job, which goes on whatever becomes of who asked; answers its id.

        Args:
            order: what it is to do; runs created from now on are none of its.
            by: name of the API key of who asks.
            request: an id of the caller's own: asked again under it within a day, there is one job.
            all_runs: an order without a filter is meant so.

        Raises `Unfit`, `NotNow` when as many jobs go on as may, and `ExpressionError`.
        """
        now = self._home.clock.now()
        until = BulkOrder(order.action, order.wanted.until(now), order.from_failed, order.rate)
        until.check(all_runs=all_runs)
        _ = until.filter  # an expression that is none is refused now
        if request is not None and not 0 < len(request) <= MOST_REQUEST:
            raise Unfit(f"a request has 1 to {MOST_REQUEST} characters, not {len(request)}", "Leave it out")
        asked = "" if request is None else digest_of(request)
        made: bytes = await self._home.script(
            "bulk_begin", new_id(now), asked, LIFE, MOST_AT_ONCE, until.text, until.rate, by
        )
        if made == b"FULL":
            raise _full()
        return made.decode()

    async def get(self, id: str) -> Job | None:
        """A job; `None` when there is none of this id, or it is not kept any more."""
        flat: list[bytes] = await self._home.read("HGETALL", self._home.keys.name("k_bulk", id)) if is_id(id) else []
        return Job.parse(id, dict(zip(flat[::2], flat[1::2], strict=True))) if flat else None

    async def page(self, cursor: str | None, limit: int) -> tuple[list[Job], str | None]:
        """Up to `limit` jobs behind `cursor`, newest first, and the cursor of those behind them."""
        ids = sorted(await self._ids("-inf"), reverse=True)
        behind = [id for id in ids if cursor is None or id < cursor]
        jobs = [await self.get(id) for id in behind[:limit]]
        return [job for job in jobs if job], behind[limit - 1] if len(behind) > limit else None

    async def open(self) -> list[str]:
        """Ids of the jobs that have not ended, oldest first."""
        return sorted(await self._ids("+inf"))

    async def handled(self, id: str) -> list[str]:
        """Ids of the first 1,000 runs that a job has created, or else steered."""
        runs: list[bytes] = await self._home.read("LRANGE", self._home.keys.name("k_handled", id), 0, -1)
        return [run.decode() for run in runs]

    async def stop(self, id: str) -> Stopped:
        """Has a job stop: within a second, or when somebody has taken it whose owner has died."""
        answer: bytes = await self._home.script("bulk_stop", id)
        return cast("Stopped", answer.decode())

    async def resume(self, id: str) -> Resumed:
        """Has a job that was stopped go on where it was. Raises `NotNow` when as many go on as may."""
        answer: bytes = await self._home.script("bulk_resume", id, MOST_AT_ONCE)
        if answer == b"FULL":
            raise _full()
        return cast("Resumed", answer.decode())

    async def take(self, id: str, token: str) -> Job | None:
        """The job, to be carried on under `token`; `None` when it has ended, or somebody else has it."""
        answer: bytes = await self._home.script("bulk_take", id, token, TTL)
        return await self.get(id) if answer == b"OK" else None

    async def note(self, job: Job, token: str, note: Note) -> Noted:
        """Writes how far a job has come, once, and keeps it for another while."""
        answer: bytes = await self._home.script(
            "bulk_note",
            job.id,
            token,
            TTL,
            job.seq + 1,
            note.cursor,
            " ".join(note.todo),
            note.searched,
            note.total,
            note.undecided,
            note.matched,
            note.ending,
            note.problem,
            MOST_KEPT,
            MOST_REASONS,
            items=[(one.run, one.made, one.reason) for one in note.outcomes],
        )
        return cast("Noted", answer.decode())

    async def trim(self, age: int) -> None:
        """Removes jobs that ended at least `age` ms ago, and the oldest when 1,000 have ended."""
        while await self._home.script("trim_bulks", age, MOST_ENDED, BATCH) == BATCH:
            pass

    async def _ids(self, since: str) -> list[str]:
        key = self._home.keys.name("k_bulks")
        return [id.decode() for id in await self._home.read("ZRANGEBYSCORE", key, since, "+inf")]


def _full() -> NotNow:
    return NotNow(f"{MOST_AT_ONCE} bulk jobs go on already", "Wait until one has ended, or stop one")
