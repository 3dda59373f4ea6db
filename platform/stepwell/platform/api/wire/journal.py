"""`POST /v1/checkpoint/{run}/journal`: an app of our own SDK records what a run does while it executes it."""

from collections.abc import Awaitable, Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Annotated, Any, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from starlette.requests import Request
from starlette.routing import Route

from stepwell.functions.errors import FunctionsError, NonDeterministic
from stepwell.functions.ids import ID
from stepwell.functions.journal import JournalUnavailable, LeaseLost, Outcome
from stepwell.functions.lines import LONGEST_LINE
from stepwell.functions.served.words import journal_path, row_of, wait_of
from stepwell.functions.values import check_size
from stepwell.platform.api.problems import Problem
from stepwell.platform.api.scopes import Scope
from stepwell.platform.api.wire.counter import Counter, json_of
from stepwell.platform.codec import MalformedJSON, UnencodableJSON, encode
from stepwell.platform.engine.answers import Refusal
from stepwell.platform.engine.logs import Logs
from stepwell.platform.engine.owner import Owner
from stepwell.platform.engine.partition import Partition
from stepwell.platform.executor.journal import RunJournal, outcome_of
from stepwell.platform.executor.recorded import Recorded
from stepwell.platform.ids import is_id, partition_of
from stepwell.platform.incoming import LATEST
from stepwell.platform.installation import Installation
from stepwell.platform.records import EventRecord, Lease, RunRecord, Status
from stepwell.platform.wire.given import decode_given

REPEATABLE = 0
"""The sequence number of a write that may be repeated: what is recorded already stays as it is."""
STALE = "this call is not the run's any more: another one goes on with it"
MOST_LINES = 256
"""That are said at once."""
Key: TypeAlias = Annotated[str, Field(pattern=r"^[^\x00-\x1f]+$", max_length=512)]
Word: TypeAlias = Annotated[str, Field(pattern=r"^[a-z_]{1,32}$")]
Count: TypeAlias = Annotated[int, Field(ge=0, le=1_000_000)]
Ms: TypeAlias = Annotated[int, Field(ge=0, le=LATEST)]


class _Write(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)

    key: Key


class _Checkpoint(_Write):
    kind: Word
    ok: bool
    attempts: Count
    took: Ms
    payload: str


class _Arm(_Write):
    kind: Word
    delay: Ms | None
    until: int | None


class _Retry(_Write):
    kind: Word
    attempts: Count
    delay: Ms
    took: Ms
    error: str


class _Send(_Write):
    events: list[dict[str, Any]]


class _Wait(_Write):
    kind: Word
    waits: list[dict[str, Any]]
    delay: Ms | None
    until: int | None
    due: str
    names: list[str]


class _Invoke(_Write):
    function: Annotated[str, Field(pattern=f"^{ID}/{ID}$")]
    data: str
    delay: Ms | None
    detach: bool


class _Line(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)

    at: Ms
    level: Annotated[str, Field(max_length=32)]
    step: Annotated[str, Field(max_length=512)]
    attempt: Count
    message: str
    fields: dict[str, Any]


class _Progress(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)

    at: Ms
    value: Annotated[float, Field(ge=0, le=1)]
    text: Annotated[str, Field(max_length=512)]
    step: Annotated[str, Field(max_length=512)]
    attempt: Count


class _Say(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)

    seq: Count
    lines: Annotated[list[Annotated[str, Field(max_length=LONGEST_LINE)]], Field(max_length=MOST_LINES)]
    lost: Count
    step: Annotated[str, Field(max_length=512)]
    progress: Annotated[str, Field(max_length=LONGEST_LINE)]


class Entry(BaseModel):
    """The body of a request: one of these writes, or a look at what has become of waits.

    Args:
        token: of the run's lease, as it came with the call.
        turn: the last that the app knows.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    token: Annotated[str, Field(pattern=r"^[!-~]{1,256}$")]
    turn: Ms
    checkpoint: _Checkpoint | None = None
    arm: _Arm | None = None
    retry: _Retry | None = None
    send: _Send | None = None
    wait: _Wait | None = None
    invoke: _Invoke | None = None
    look: dict[str, Any] | None = None
    say: _Say | None = None

    @model_validator(mode="after")
    def _one(self) -> "Entry":
        if len(list(self.writes())) > 1:
            raise ValueError("one thing is recorded at a time")
        return self

    def writes(self) -> Iterator[tuple[str, Any]]:
        """What is to be written."""
        for name in ("checkpoint", "arm", "retry", "send", "wait", "invoke"):
            if (write := getattr(self, name)) is not None:
                yield name, write


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
        run, entry = request.path_params["id"], _given(await json_of(request))
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

    async def _keep(self, partition: Partition, lease: Lease, say: _Say) -> Any:
        """Keeps what the code of the run says."""
        settings = self._installation.settings
        logs = Logs(partition, settings.log_lines, settings.log_bytes)
        try:
            lines = b"\n".join([_said(_Line, line) for line in say.lines]) if settings.log_lines else b""
            progress = _said(_Progress, say.progress) if say.progress else b""
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


def _given(body: Any) -> Entry:
    try:
        return Entry.model_validate(body)
    except ValidationError as error:
        wrong = error.errors(include_url=False)[0]
        where = ".".join(map(str, wrong["loc"])) or "the body"
        raise Problem(400, "invalid_body", f"{where}: {wrong['msg']}") from None


def _said(kind: type[BaseModel], text: str) -> bytes:
    """One line of JSON, of what came as such. Raises `ValidationError`, `UnencodableJSON`."""
    return encode(kind.model_validate_json(text).model_dump())


def _refusal(error: FunctionsError) -> dict[str, str]:
    told = {"type": type(error).__name__, "message": str(error)}
    if isinstance(error, NonDeterministic):
        return {**told, "recorded": error.recorded, "asked": error.asked}
    return told


def _json(text: str) -> bytes:
    """JSON that is recorded as it is. Raises `MalformedJSON`."""
    given = text.encode()
    decode_given(given)
    return given


def _error(text: str) -> bytes:
    """An error that is recorded as it is. Raises `MalformedJSON`, `KeyError`, `TypeError`."""
    known = decode_given(text.encode())
    if not isinstance(known["type"], str) or not isinstance(known["message"], str):
        raise TypeError("an error has a type and a message, which are text")
    return text.encode()


def _object(text: str) -> bytes:
    """An object that is recorded as it is. Raises `MalformedJSON`, `TypeError`."""
    if not isinstance(decode_given(text.encode()), dict):
        raise TypeError("the data of an event is an object")
    return text.encode()


async def _checkpoint(journal: RunJournal, write: _Checkpoint, limit: int) -> Outcome:
    payload = _json(write.payload) if write.ok else _error(write.payload)
    check_size(payload, f"step {write.key!r}", limit)
    turn = await journal.checkpoint(write.key, write.kind, write.ok, write.attempts, write.took, payload)
    return Outcome(write.key, write.kind, "done" if write.ok else "failed", turn, write.attempts, 0, b"")


async def _arm(journal: RunJournal, write: _Arm, _: int) -> Outcome:
    return await journal.arm(write.key, write.kind, b"", delay=write.delay, until=write.until)


async def _retry(journal: RunJournal, write: _Retry, limit: int) -> Outcome:
    error = _error(write.error)
    check_size(error, f"step {write.key!r}", limit)
    return await journal.retry(write.key, write.kind, write.attempts, write.delay, write.took, error)


async def _send(journal: RunJournal, write: _Send, _: int) -> list[str]:
    return await journal.send(write.key, write.events)


async def _wait(journal: RunJournal, write: _Wait, _: int) -> Outcome:
    waits = [wait_of(wait) for wait in write.waits]
    due = _json(write.due)
    return await journal.wait(
        write.key, write.kind, waits, delay=write.delay, until=write.until, due=due, names=write.names
    )


async def _invoke(journal: RunJournal, write: _Invoke, _: int) -> Outcome:
    data = _object(write.data)
    return await journal.invoke(write.key, write.function, data, delay=write.delay, detach=write.detach)


WRITES: Mapping[str, Callable[[RunJournal, Any, int], Awaitable[Outcome | list[str]]]] = MappingProxyType(
    {"checkpoint": _checkpoint, "arm": _arm, "retry": _retry, "send": _send, "wait": _wait, "invoke": _invoke}
)
