"""What a run under a lease has recorded: the replay runtime's journal, kept by the engine."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from stepwell.functions.errors import InvalidStep, LimitExceeded, NonDeterministic, NonRetriable
from stepwell.functions.journal import JournalUnavailable, LeaseLost, Outcome
from stepwell.functions.waits import EventWait
from stepwell.platform.codec import UnencodableJSON, decode, encode
from stepwell.platform.engine.answers import Conflict, OverLimit, Refusal, Reload
from stepwell.platform.engine.owner import NOTHING, Elsewhere, Owner
from stepwell.platform.errors import StepwellError
from stepwell.platform.executor.saying import say_step_failed
from stepwell.platform.expressions import EvaluationError, ExpressionError
from stepwell.platform.ids import partition_of
from stepwell.platform.incoming import LATEST, BadEvent, parse_events
from stepwell.platform.ingest import Ingest
from stepwell.platform.records import Lease, StepRow
from stepwell.platform.waits.invoking import Invocation
from stepwell.platform.waits.listing import ALONE, ORDINALS, Listing, wordlike
from stepwell.platform.waits.outcome import event_json, failed
from stepwell.platform.waits.signals import KIND
from stepwell.platform.waits.sought import condition_of, sought
from stepwell.platform.waits.waits import Waits

RELOADS = 5
WAITS = frozenset({"wait_for_event", "wait_for_any"})
"""Kinds of steps that take events."""


def outcome_of(row: StepRow) -> Outcome:
    """A recorded row as the replay runtime knows it."""
    return Outcome(row.key, row.kind, row.state, row.turn, row.attempts, row.due, row.payload)


class RunJournal:
    """The `Journal` of one leased run.

    Args:
        lease: whose token every write carries.
        owner: writes of the run's partition.
        ingest: takes the events it sends.
        waits: sees to what it waits for.
        max_event: bytes of an event.
    """

    __slots__ = ("_has_waited", "_ingest", "_lease", "_max_event", "_owner", "_run", "_seq", "_token", "_waits")

    def __init__(self, lease: Lease, owner: Owner, ingest: Ingest, waits: Waits, max_event: int) -> None:
        self._lease = lease
        self._run = lease.run
        self._token = lease.token
        self._owner = owner
        self._ingest = ingest
        self._waits = waits
        self._max_event = max_event
        self._seq = 0
        self._has_waited = lease.rows is None or any(row.kind in WAITS for row in lease.rows)

    def next_seq(self) -> int:
        """The number of the next write under this token."""
        self._seq += 1
        return self._seq

    async def checkpoint(self, key: str, kind: str, ok: bool, attempts: int, took: int, payload: bytes) -> int:
        """Records the outcome of a step, and gives its turn."""
        if not ok:
            say_step_failed(self._lease, key, attempts, payload)
        seq = self.next_seq()
        try:
            return await self._owner.checkpoint(
                self._run, self._token, seq, key, kind, ok=ok, attempts=attempts, took=took, payload=payload
            )
        except (Refusal, StepwellError) as error:
            raise _meaning(key, error) from None

    async def arm(
        self, key: str, kind: str, payload: bytes, *, delay: int | None = None, until: int | None = None
    ) -> Outcome:
        """Records a wait of `delay` ms or until a time in ms UTC; gives what is recorded."""
        return await self._arm(key, kind, payload, delay, until)

    async def wait(
        self,
        key: str,
        kind: str,
        waits: Sequence[EventWait],
        *,
        delay: int | None,
        until: int | None,
        due: bytes,
        names: Sequence[str] = (),
    ) -> Outcome:
        """Records a wait for the first of some events; see `Journal`."""
        try:
            listings = [await self._listing(key, wait, ordinal) for wait, ordinal in numbers(kind, waits)]
        except StepwellError as error:
            raise JournalUnavailable(str(error)) from None
        home, count = partition_of(self._run), self._waits.partitions
        conditions = [wait.condition for wait in waits]
        shown = encode({"waits": listings, "conditions": conditions, **({"names": names} if names else {})})
        elsewhere = Elsewhere(
            listings=";".join([listing.text(home, count) for listing in listings]),
            marks=" ".join([listing.mark for listing in listings]),
            todo=encode({"waits": listings}),
        )
        # Only what is kept tells since when events count that are not looked back for.
        self._has_waited |= not all(wait.lookback for wait in waits)
        return await self._arm(key, kind, b"done %s\n%s" % (wordlike(due), shown), *open_end(delay, until), elsewhere)

    async def wait_for_signal(self, key: str, signal: str, until: int, *, replace: bool) -> Outcome:
        """Records a wait for a signal until a time in ms UTC; `replace`: who waits for it so far gets it no more.

        Raises `SignalTaken`.
        """
        try:
            await self._waits.signals.claim(signal, self._run, key, until, replace=replace)
        except StepwellError as error:
            raise JournalUnavailable(str(error)) from None
        return await self._arm(key, KIND, b"done null\n%s" % encode({"signal": signal}), None, until)

    async def invoke(self, key: str, function: str, data: bytes, *, delay: int | None, detach: bool) -> Outcome:
        """Starts a child and records a wait for its end; see `Journal`."""
        if len(data) > self._max_event:
            raise LimitExceeded(
                f"{self._lease.function}: step {key!r}: the data for {function} has {len(data):,} bytes, and an event "
                f"may have {self._max_event:,} (setting STEPWELL_MAX_EVENT_BYTES)"
            )
        invoking = self._waits.invoking
        for _ in range(RELOADS):
            try:
                invocation = await invoking.plan(self._run, key, function, decode(data))
                return await self._invoke(key, invocation, delay, detach=detach)
            except Reload:
                with suppress(StepwellError):
                    await invoking.catch_up()
            except StepwellError as error:
                raise JournalUnavailable(str(error)) from None
        raise JournalUnavailable("the registry of functions keeps changing")

    async def _invoke(self, key: str, invocation: Invocation, delay: int | None, *, detach: bool) -> Outcome:
        child, function = self._waits.invoking.child(invocation), invocation.function
        planned = f"{child} {invocation.version}" if child else ""
        late = failed("Timeout", f"run {child} of {function} has not ended in time", child)
        shown = encode({"function": function, "detach": detach, "run": child})
        todo = encode({"function": function, "data": invocation.data, "ts": invocation.ts, "home": invocation.home})
        payload = b"failed %s\n%s" % (wordlike(late), shown)
        return await self._arm(key, "invoke", payload, *open_end(delay, None), Elsewhere(child=planned, todo=todo))

    async def _arm(
        self,
        key: str,
        kind: str,
        payload: bytes,
        delay: int | None,
        until: int | None,
        elsewhere: Elsewhere = NOTHING,
    ) -> Outcome:
        seq = self.next_seq()
        try:
            row = await self._owner.arm(
                self._run, self._token, seq, key, kind, delay=delay, until=until, payload=payload, elsewhere=elsewhere
            )
        except Reload:
            raise
        except (Refusal, StepwellError) as error:
            raise _meaning(key, error) from None
        if elsewhere.todo and row.state == "pending":
            await self._see_to(key, elsewhere)
        return outcome_of(row)

    async def _see_to(self, key: str, elsewhere: Elsewhere) -> None:
        """Does at once what the scheduler would do later."""
        marks = elsewhere.marks.split()
        # What is kept begins with the positions of events that earlier waits have taken, if there were any, and of now.
        note = None if self._has_waited else b"0 " * (len(marks) + 1) + b"\n" + elsewhere.todo
        self._has_waited |= bool(marks)
        with suppress(StepwellError):
            await self._waits.errands[partition_of(self._run)].arm(f"{self._run}|{key}", note)

    async def _listing(self, key: str, wait: EventWait, ordinal: str) -> Listing:
        event = event_json(self._lease.event)
        if wait.match is not None and condition_of(f"event.{wait.match}").evaluate({"event": event}) is None:
            raise InvalidStep(
                f"{self._lease.function}: step {key!r}: the event that started this run has no {wait.match}, so no "
                f"{wait.event!r} could match"
            )
        try:
            found = sought(wait.event, wait.condition, event, lambda: self._waits.awaiting.sets_of(wait.event))
        except (ExpressionError, EvaluationError) as error:
            raise InvalidStep(f"{self._lease.function}: step {key!r}: {error}") from None
        if not await self._waits.awaiting.ensure(found.name, found.paths):
            raise LimitExceeded(
                f"{self._lease.function}: step {key!r}: too many different events are waited for; do not make names of "
                "events out of ids: put the id into the data, and use match="
            )
        own = self._waits.partitions > 1 and wait.event == self._lease.event.name
        return Listing.of(found, ordinal, self._lease.event.position if wait.lookback else None, own=own)

    async def retry(self, key: str, kind: str, attempts: int, delay: int, took: int, error: bytes) -> Outcome:
        """Records a failed attempt that is tried again in `delay` ms."""
        say_step_failed(self._lease, key, attempts, error, delay)
        seq = self.next_seq()
        try:
            row = await self._owner.retry_step(
                self._run, self._token, seq, key, kind, attempts=attempts, delay=delay, took=took, error=error
            )
        except (Refusal, StepwellError) as refusal:
            raise _meaning(key, refusal) from None
        return outcome_of(row)

    async def send(self, key: str, events: Sequence[Mapping[str, Any]]) -> list[str]:
        """Takes in events under ids made of run and step, so that sending them again starts nothing twice."""
        numbered = [{"id": f"{self._run}/{key}/{index}", **event} for index, event in enumerate(events)]
        try:
            return await self._ingest.accept(parse_events(encode(numbered), self._max_event))
        except (BadEvent, UnencodableJSON) as refusal:
            raise NonRetriable(f"step {key!r} cannot send this: {refusal}") from None
        except StepwellError as error:
            raise JournalUnavailable(str(error)) from None


def numbers(kind: str, waits: Sequence[EventWait]) -> list[tuple[EventWait, str]]:
    """Each wait with its ordinal; see `Listing`."""
    if kind == "wait_for_event":
        return [(wait, ALONE) for wait in waits]
    return list(zip(waits, ORDINALS, strict=False))


def open_end(delay: int | None, until: int | None) -> tuple[int | None, int | None]:
    """A delay or a moment; the end of all times when neither is given."""
    return (delay, until) if delay is not None or until is not None else (None, LATEST)


def _meaning(key: str, error: Exception) -> BaseException:
    """What it means to a handler that its step could not be recorded."""
    match error:
        case Conflict():
            return NonDeterministic(key, "a wait", "a step with a body")
        case OverLimit():
            return LimitExceeded(_limit_text(error))
        case Refusal():
            return LeaseLost(str(error))
        case _:
            return JournalUnavailable(str(error))


def _limit_text(over: OverLimit) -> str:
    if over.what == "steps":
        return f"the run has {over.size:,} steps already, which is the limit (setting STEPWELL_MAX_STEPS)"
    return f"the state of the run would have {over.size:,} bytes, over the limit (setting STEPWELL_MAX_RUN_BYTES)"
