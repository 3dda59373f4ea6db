"""`POST /v1/checkpoint/{run}/journal`: an app of our own SDK records what a run does while it executes it."""

from collections.abc import Iterator
from typing import Any

from pydantic import ValidationError
from starlette.requests import Request
from starlette.routing import Route

from stepwell.functions.errors import FunctionsError, NonDeterministic
from stepwell.functions.journal import JournalUnavailable, LeaseLost, Outcome
from stepwell.functions.served.words import journal_path, row_of
from stepwell.platform.api.problems import Problem
from stepwell.platform.api.scopes import Scope
from stepwell.platform.api.wire.counter import Counter, json_of, understood
from stepwell.platform.api.wire.writing import WRITES, kept
from stepwell.platform.codec import MalformedJSON, UnencodableJSON
from stepwell.platform.engine.answers import Refusal
from stepwell.platform.engine.logs import Logs
from stepwell.platform.engine.owner import Owner
from stepwell.platform.engine.partition import Partition
from stepwell.platform.executor.journal import RunJournal, outcome_of
from stepwell.platform.executor.recorded import Recorded
from stepwell.platform.ids import is_id, partition_of
from stepwell.platform.installation import Installation
from stepwell.platform.records import EventRecord, Lease, RunRecord, Status
from stepwell.platform.wire.entries import Entry, Line, Progress, Say

REPEATABLE = 0
"""The sequence number of a write that may be repeated: what is recorded already stays as it is."""
STALE = "this call is not the run's any more: another one goes on with it"


class _Repeatable(RunJournal):
    """A journal whose writes may come twice, since answers get lost."""

    __slots__ = ()

    def next_seq(self) -> int:
        return REPEATABLE


class JournalApi:
    """Records under the token that came with the call.

    Args:
        counter: lets callers in.
        installation: whose runs they are.
    """

    def __init__(self, counter: Counter, installation: Installation) -> None:
        settings = installation.settings
        self._counter = counter
        self._installation = installation
        self._owners = [Owner(one, settings.max_steps, settings.max_run_bytes) for one in installation.partitions]
        self._recorded = Recorded(0)

    def routes(self) -> Iterator[Route]:
        """The rows of the route table."""
        yield self._counter.route("POST", journal_path("{id}"), self.record, Scope.OPERATE)

    async def record(self, request: Request) -> Any:
        """POST …/journal: answers 409 when the call that records has lost its run."""
        run, entry = request.path_params["id"], understood(Entry, await json_of(request))
        partition = self._partition(run)
        lease = await self._lease(partition, run, entry)
        if entry.say is not None:
            return await self._keep(partition, lease[0], entry.say)
        try:
            return await self._answer(partition, *lease, entry)
        except LeaseLost:
            raise Problem(409, "stale", STALE) from None
        except JournalUnavailable as away:
            raise Problem(503, "unavailable", str(away)) from None
        except FunctionsError as error:
            return {"refused": _refusal(error)}
        except (MalformedJSON, KeyError, TypeError, UnicodeEncodeError) as error:
            raise Problem(400, "invalid_body", f"{type(error).__name__}: {error}") from None

    async def _answer(self, partition: Partition, lease: Lease, header: RunRecord, entry: Entry) -> Any:
        known: dict[str, Any] = {"cancel": header.cancel > 0, "news": []}
        for name, write in entry.writes():
            made = await WRITES[name](self._journal(lease), write, self._installation.settings.max_output_bytes)
            if not isinstance(made, Outcome):
                return {**known, "ids": made}
            missed = await self._news(partition, lease.run, entry.turn, made.turn - 1)
            return {**known, "step": row_of(made), "news": missed}
        return {**known, "news": await self._news(partition, lease.run, entry.turn, header.turn)}

    async def _keep(self, partition: Partition, lease: Lease, say: Say) -> Any:
        """Keeps what the code of the run says."""
        settings = self._installation.settings
        logs = Logs(partition, settings.log_lines, settings.log_bytes)
        try:
            lines = b"\n".join([kept(Line, line) for line in say.lines]) if settings.log_lines else b""
            progress = kept(Progress, say.progress) if say.progress else b""
            await logs.keep(lease.run, lease.token, say.seq, lines, lost=say.lost, step=say.step, progress=progress)
        except (ValidationError, UnencodableJSON):
            raise Problem(400, "invalid_body", "say: what is said is no line, or no progress") from None
        except Refusal:
            raise Problem(409, "stale", STALE) from None
        return {"ok": True}

    async def _news(self, partition: Partition, run: str, known: int, last: int) -> list[Any]:
        """What has become of steps behind the turn that is known, in that order."""
        if last <= known:
            return []
        rows = await self._recorded.read(partition, run)
        found = sorted((row for row in rows if known < row.turn <= last), key=lambda row: row.turn)
        return [row_of(outcome_of(row)) for row in found]

    def _partition(self, run: str) -> Partition:
        partitions = self._installation.partitions
        if not is_id(run) or partition_of(run) >= len(partitions):
            raise Problem(404, "not_found", f"there is no run {run[:80]!r}")
        return partitions[partition_of(run)]

    async def _lease(self, partition: Partition, run: str, entry: Entry) -> tuple[Lease, RunRecord]:
        """The lease as far as a journal needs it."""
        flat = await partition.read("HGETALL", partition.keys.name("k_run", run))
        header = RunRecord.parse(run, dict(zip(flat[::2], flat[1::2], strict=True))) if flat else None
        if header is None or header.status is not Status.RUNNING or header.token != entry.token:
            raise Problem(409, "stale", STALE)
        event = await partition.read("GET", partition.keys.name("k_event", header.event))
        return _lease(header, EventRecord.parse(header.event, event)), header

    def _journal(self, lease: Lease) -> RunJournal:
        known = self._installation
        owner = self._owners[partition_of(lease.run)]
        return _Repeatable(lease, owner, known.ingest, known.waits, known.settings.max_event_bytes)


def _lease(run: RunRecord, event: EventRecord) -> Lease:
    return Lease(
        run=run.id,
        token=run.token,
        lane=run.lane,
        turn=run.turn,
        steps=run.steps,
        attempt=run.attempt,
        crashes=run.crashes,
        version=run.version,
        event=event,
        rows=None,
    )


def _refusal(error: FunctionsError) -> dict[str, str]:
    told = {"type": type(error).__name__, "message": str(error)}
    if isinstance(error, NonDeterministic):
        return {**told, "recorded": error.recorded, "asked": error.asked}
    return told
