"""What a run under a lease has recorded: the replay runtime's journal, kept by the engine."""

from collections.abc import Mapping, Sequence
from typing import Any

from stepwell.functions.errors import LimitExceeded, NonDeterministic, NonRetriable
from stepwell.functions.journal import JournalUnavailable, LeaseLost, Outcome
from stepwell.platform.codec import encode
from stepwell.platform.engine.answers import Conflict, OverLimit, Refusal
from stepwell.platform.engine.owner import Owner
from stepwell.platform.errors import StepwellError
from stepwell.platform.executor.saying import say_step_failed
from stepwell.platform.incoming import BadEvent, parse_events
from stepwell.platform.ingest import Ingest
from stepwell.platform.records import Lease, StepRow


def outcome_of(row: StepRow) -> Outcome:
    """A recorded row as the replay runtime knows it."""
    return Outcome(row.key, row.kind, row.state, row.turn, row.attempts, row.due, row.payload)


class RunJournal:
    """The `Journal` of one leased run.

    Args:
        lease: whose token every write carries.
        owner: writes of the run's partition.
        ingest: takes the events it sends.
        max_event: bytes of an event.
    """

    __slots__ = ("_ingest", "_lease", "_max_event", "_owner", "_run", "_seq", "_token")

    def __init__(self, lease: Lease, owner: Owner, ingest: Ingest, max_event: int) -> None:
        self._lease = lease
        self._run = lease.run
        self._token = lease.token
        self._owner = owner
        self._ingest = ingest
        self._max_event = max_event
        self._seq = 0

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
        seq = self.next_seq()
        try:
            row = await self._owner.arm(
                self._run, self._token, seq, key, kind, delay=delay, until=until, payload=payload
            )
        except (Refusal, StepwellError) as error:
            raise _meaning(key, error) from None
        return outcome_of(row)

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
        except BadEvent as refusal:
            raise NonRetriable(f"step {key!r} cannot send this: {refusal}") from None
        except StepwellError as error:
            raise JournalUnavailable(str(error)) from None


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
