"""Doing runs again: the new run, its event, and what it has from the old one."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from stepwell.platform.clock import Clock
from stepwell.platform.codec import encode
from stepwell.platform.engine.gathered import gathered_by
from stepwell.platform.engine.partition import Partition
from stepwell.platform.engine.runs import MAX_OF_EVENT, MAX_RERUNS, Creation, Kept, Runs
from stepwell.platform.errors import StoreUnavailable
from stepwell.platform.flow.controls import by_hand, with_many
from stepwell.platform.flow.refusal import Refusal
from stepwell.platform.ids import digest_of, new_id, partition_of, run_id
from stepwell.platform.records import EventRecord, StepRow
from stepwell.platform.registry import Registry
from stepwell.platform.settings import Settings
from stepwell.platform.snapshot import RegisteredFunction
from stepwell.platform.starting import beginning, home_for
from stepwell.platform.steering.again import kept_of
from stepwell.platform.steering.order import Order
from stepwell.platform.steering.outcomes import ByHand
from stepwell.platform.steering.refusals import NotNow, Unfit, no_such_run
from stepwell.platform.steering.subject import Subject
from stepwell.platform.waits.outcome import event_json

MAX_REQUEST = 128
"""Characters of the id of a request."""
SEND = "Send the event again"
NOTHING = Kept()


class Rerunning:
    """Creates runs that do others again. May raise `NotSteered`, and `StepwellError` when Redis cannot be reached.

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

    async def rerun(self, id: str, order: Order) -> str:
        """Creates a run that does another one again, and gives its id. The other run stays as it is.

        The new one lives with the other, or where what is counted of its function is counted by now.
        """
        subject = await Subject.find(self._partitions, id)
        function = await self._function(subject)
        known = await subject.event()
        if known is None:
            raise _no_event()
        kept = await self._kept(subject, order)
        event = self._told(order, known[0])
        home = home_for(function, partition_of(subject.run.id), len(self._partitions))
        run = await self._id(subject, order, home)
        gathered = await self._gathered(subject, order, home)
        creation = self._creation(subject, function, order, event, run, known)
        if gathered:
            creation = replace(creation, options=with_many(creation.options, len(gathered)))
        answer = await self._runs_of(run).rerun(creation, kept, gathered)
        if answer == "GONE":
            raise _no_event()
        if answer == "FULL":
            raise NotNow(f"the event of the run has {MAX_OF_EVENT:,} runs, and may not have more by reruns", SEND)
        if answer.startswith("SKIPPED "):
            raise NotNow(Refusal.parse(answer.removeprefix("SKIPPED ")).text, "Try again later")
        if answer == "INCOMPLETE":
            raise StoreUnavailable(subject.home.store.where, "copying the steps took too long")
        return run

    async def _id(self, subject: Subject, order: Order, home: int) -> str:
        old, request = subject.run.id, word_of(order.request)
        first = await self._runs_of(old).ask_again(old, request, new_id(self._clock.now(), home))
        if first is None:
            raise no_such_run(old)
        if first == "FULL":
            raise NotNow(f"the run was done again {MAX_RERUNS:,} times, and may not be more often", SEND)
        if partition_of(first) != home and not await self._exists(first):
            raise NotNow("the function has changed since this was requested first", "Request it anew")
        return first

    async def _gathered(self, subject: Subject, order: Order, home: int) -> list[str]:
        """The further events of a batch, which a run has too that does it again; with another input it has none."""
        others = [] if order.input is not None else await gathered_by(subject.home, subject.run.id)
        if others and home != partition_of(subject.run.id):
            raise NotNow("the runs of the function live elsewhere by now than the events of this batch", SEND)
        return others

    async def _exists(self, run: str) -> bool:
        home = self._partitions[partition_of(run)]
        return bool(await home.read("EXISTS", home.keys.name("k_run", run)))

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
        return ByHand(subject, self._clock.now(), self._settings.max_output_bytes).output(row, value)

    def _told(self, order: Order, event: EventRecord) -> dict[str, Any]:
        """The event as the new run is told it."""
        told = event_json(event)
        if order.input is None:
            return told
        told |= {"data": order.input, "ts": self._clock.now()}
        size, most = len(_body(told)), self._settings.max_event_bytes
        if size > most:
            raise Unfit(
                f"the input has {size:,} bytes; the limit is {most:,}", "The setting is STEPWELL_MAX_EVENT_BYTES"
            )
        return told

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
            record = b"N %s\n%s" % (run.encode(), _body(event))
        elif home == partition_of(old):
            record = b""
        else:
            was, text = known
            record = b"T %d %d %s\n%s" % (was.received, was.position, run.encode(), text.partition(b"\n")[2])
        made = beginning(function, event, home, len(self._partitions))
        link = f"rerun {old}"
        options = by_hand(made.options)
        return Creation(run, made.lane, made.version, event["id"], 0, record, options, link, made.notes)

    def _runs_of(self, id: str) -> Runs:
        return self._runs[partition_of(id)]


def _body(event: Mapping[str, Any]) -> bytes:
    return encode({name: event[name] for name in ("name", "data", "ts")})


def word_of(request: str | None) -> str:
    """What stands for a request; "" for none. Raises `Unfit`."""
    if request is None:
        return ""
    if not 0 < len(request) <= MAX_REQUEST:
        raise Unfit(f"a request has 1 to {MAX_REQUEST} characters, not {len(request)}", "Leave it out, or take a UUID")
    return digest_of(request)


def _no_event() -> NotNow:
    return NotNow("the event that started the run is not kept any more", SEND)
