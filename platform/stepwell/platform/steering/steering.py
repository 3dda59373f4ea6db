"""Steering runs by hand: doing them again, and ending what they wait for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from stepwell.platform.clock import Clock
from stepwell.platform.codec import encode
from stepwell.platform.engine.partition import Partition
from stepwell.platform.engine.runs import Creation, Kept, Resolved, Runs
from stepwell.platform.errors import StoreUnavailable
from stepwell.platform.ids import digest_of, new_id, partition_of, run_id
from stepwell.platform.incoming import LATEST
from stepwell.platform.records import EventRecord, StepRow
from stepwell.platform.registry import RegisteredFunction, Registry
from stepwell.platform.settings import Settings
from stepwell.platform.starting import beginning
from stepwell.platform.steering.again import kept_of
from stepwell.platform.steering.outcomes import ByHand, error
from stepwell.platform.steering.refusals import NotNow, Unfit, no_such_run
from stepwell.platform.steering.subject import Subject
from stepwell.platform.waits.outcome import event_json

MAX_REQUEST = 128
"""Characters of the id of a request."""
NOTHING = Kept()


@dataclass(frozen=True, slots=True)
class Given:
    """A value that somebody gives, which may be null."""

    value: Any


@dataclass(frozen=True, slots=True)
class Order:
    """How a run is to be done again.

    Args:
        input: data of the event instead of that of the run's own.
        from_step: key of a step; what was done before it is kept.
        output: of that step, which then is kept as well.
        request: an id of the caller's own: ordered again under it, nothing is done twice.
    """

    input: Mapping[str, Any] | None = None
    from_step: str | None = None
    output: Given | None = None
    request: str | None = None


class Steering:
    """Every method may raise `NotSteered`, and `StepwellError` when Redis cannot be reached.

    Args:
        partitions: all of them.
        runs: those of each partition.
        registry: knows the functions.
        settings: limits.
        clock: theirs.
    """

    __slots__ = ("_clock", "_partitions", "_registry", "_runs", "_settings")

    def __init__(
        self,
        partitions: Sequence[Partition],
        runs: Sequence[Runs],
        registry: Registry,
        settings: Settings,
        clock: Clock,
    ) -> None:
        self._partitions = partitions
        self._runs = runs
        self._registry = registry
        self._settings = settings
        self._clock = clock

    # What waits.

    async def retry(self, id: str, key: str | None = None) -> None:
        """Has a step that has failed tried again now; without one, the function itself."""
        subject = await Subject.find(self._partitions, id)
        if key is not None:
            await subject.step(key)
        if await self._runs_of(id).retry_now(id, key or "") != "OK":
            what = "the function" if key is None else f"step {key!r}"
            raise NotNow(f"{what} is not about to be tried again", _hint(subject))

    async def wake(self, id: str, key: str) -> None:
        """Ends a wait as if its time were over."""
        subject = await Subject.find(self._partitions, id)
        row = await subject.step(key)
        if row.state == "pending" and row.due == LATEST:
            raise NotNow(f"step {key!r} waits without a timeout", "Resolve it, with an outcome")
        _check(await self._runs_of(id).wake(id, key), row, subject)

    async def resolve(self, id: str, key: str, *, output: Given | None = None, error: Given | None = None) -> None:
        """Gives a wait for events, or for another run, its outcome: one of `output` and `error`, {type, message}."""
        subject = await Subject.find(self._partitions, id)
        row = await subject.step(key)
        if row.state != "pending":
            raise _not_waiting(row, subject)
        payload = self._outcome(subject, row, output, error)
        self._check_size(payload, row.key)
        _check(await self._runs_of(id).resolve(id, key, ok=error is None, payload=payload), row, subject)

    def _outcome(self, subject: Subject, row: StepRow, output: Given | None, failure: Given | None) -> bytes:
        if (output is None) == (failure is None):
            raise Unfit(f"step {row.key!r} takes either an output or an error", "Give one of them")
        if failure is not None:
            return error(row, failure.value, subject.child(row.key))
        assert output is not None
        return self._by_hand(subject).output(row, output.value)

    def _by_hand(self, subject: Subject) -> ByHand:
        now = self._clock.now()
        return ByHand(lambda: new_id(now, partition_of(subject.run.id)), now)

    def _check_size(self, payload: bytes, key: str) -> None:
        most = self._settings.max_output_bytes
        if len(payload) > most:
            raise Unfit(
                f"step {key!r}: the output has {len(payload):,} bytes; the limit is {most:,}",
                "The setting is STEPWELL_MAX_OUTPUT_BYTES",
            )

    # Doing it again.

    async def rerun(self, id: str, order: Order) -> str:
        """Creates a run that does another one again, and gives its id. The other run stays as it is."""
        subject = await Subject.find(self._partitions, id)
        function = await self._function(subject)
        known = await subject.event()
        if known is None:
            raise _no_event()
        kept = await self._kept(subject, order)
        event, home = self._told(subject, function, order, known[0])
        run = await self._id(subject, order, home)
        creation = self._creation(subject, function, order, event, run, known)
        answer = await self._runs_of(run).rerun(creation, kept)
        if answer == "GONE":
            raise _no_event()
        if answer == "INCOMPLETE":
            raise StoreUnavailable(subject.home.store.where, "copying the steps took too long")
        return run

    async def _id(self, subject: Subject, order: Order, home: int) -> str:
        run = new_id(self._clock.now(), home)
        if order.request is None:
            return run
        if not 0 < len(order.request) <= MAX_REQUEST:
            raise Unfit(f"a request has 1 to {MAX_REQUEST} characters, not {len(order.request)}")
        old = subject.run.id
        first = await self._runs_of(old).ask_again(old, digest_of(order.request), run)
        if first is None:
            raise no_such_run(old)
        if partition_of(first) != home:
            raise NotNow("the function has changed since this was requested first", "Request it anew")
        return first

    async def _function(self, subject: Subject) -> RegisteredFunction:
        name = subject.run.function
        function = (await self._registry.load()).functions.get(name)
        if function is None:
            raise NotNow(f"no function {name!r} is registered", "Start a worker that serves it")
        return function

    async def _kept(self, subject: Subject, order: Order) -> Kept:
        if order.from_step is None:
            if order.output is not None:
                raise Unfit("an output is given, but not of which step", "Say from which step the run is done again")
            return NOTHING
        output = None
        if order.output is not None:
            row = await subject.step(order.from_step)
            output = self._output(subject, row, order.output.value)
        awaited = self._registry.snapshot.awaited
        kept = await kept_of(subject, order.from_step, output, self._clock.now(), self._partitions, awaited)
        size, most = sum(len(row.payload) for row in kept.rows), self._settings.max_run_bytes
        if size > most:
            raise Unfit(f"the run would have {size:,} bytes of state; the limit is {most:,}", "Give a smaller output")
        return kept

    def _output(self, subject: Subject, row: StepRow, value: Any) -> bytes:
        if row.kind == "sleep":
            if value is not None:
                raise Unfit(f"step {row.key!r} is a sleep, which has no output", "Give null to have it done")
            return b""
        output = self._by_hand(subject).output(row, value)
        self._check_size(output, row.key)
        return output

    def _told(
        self, subject: Subject, function: RegisteredFunction, order: Order, event: EventRecord
    ) -> tuple[dict[str, Any], int]:
        """The event of the new run, and where that is at home, which may depend on its data."""
        told = event_json(event)
        if order.input is not None:
            told |= {"data": order.input, "ts": self._clock.now()}
        return told, beginning(function, told, partition_of(subject.run.id), len(self._partitions)).home

    def _creation(
        self,
        subject: Subject,
        function: RegisteredFunction,
        order: Order,
        event: dict[str, Any],
        run: str,
        known: tuple[EventRecord, bytes],
    ) -> Creation:
        home, old = partition_of(run), subject.run.id
        if order.input is not None:
            event = {**event, "id": run_id(run, "input", home)}
            record = self._edited(event, run)
        elif home == partition_of(old):
            record = b""
        else:
            was, text = known
            record = b"T %d %d %s\n%s" % (was.received, was.position, run.encode(), text.partition(b"\n")[2])
        made = beginning(function, event, home, len(self._partitions))
        link = f"rerun {old}"
        options = _without_key(made.options)
        return Creation(run, made.lane, made.version, event["id"], 0, record, options, link, made.notes)

    def _edited(self, event: Mapping[str, Any], run: str) -> bytes:
        body = encode({name: event[name] for name in ("name", "data", "ts")})
        most = self._settings.max_event_bytes
        if len(body) > most:
            raise Unfit(
                f"the input has {len(body):,} bytes; the limit is {most:,}",
                "The setting is STEPWELL_MAX_EVENT_BYTES",
            )
        return b"N %s\n%s" % (run.encode(), body)

    def _runs_of(self, id: str) -> Runs:
        return self._runs[partition_of(id)]


def _check(answer: Resolved, row: StepRow, subject: Subject) -> None:
    if answer != "OK":
        raise _not_waiting(row, subject)


def _not_waiting(row: StepRow, subject: Subject) -> NotNow:
    if row.state == "retrying" and not subject.run.status.ended:
        return NotNow(f"step {row.key!r} is about to be tried again, and waits for nothing else", "Retry it")
    return NotNow(f"step {row.key!r} does not wait any more", _hint(subject))


def _hint(subject: Subject) -> str:
    if subject.run.status.ended:
        return f"The run is {subject.run.status}; to do it again, rerun it"
    return "The run shows what it waits for as waiting_on"


def _no_event() -> NotNow:
    return NotNow("the event that started the run is not kept any more", "Send the event again")


def _without_key(options: str) -> str:
    """Options without that of being the only run of its key: who asks by hand for another one wants it."""
    return ",".join([option for option in options.split(",") if not option.startswith("once=")]) or "-"
