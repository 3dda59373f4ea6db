"""What a handler is given."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, Generic

from typing_extensions import TypeVar

from stepwell.functions.logbook import check_progress
from stepwell.functions.received import ReceivedEvent
from stepwell.functions.run_log import RunLog
from stepwell.functions.step import Step
from stepwell.functions.sync_step import SyncStep

if TYPE_CHECKING:
    from stepwell.functions.replay.scribe import Scribe
    from stepwell.functions.replay.start import Start
    from stepwell.functions.replay.steps import Steps

Data = TypeVar("Data", default=Any, covariant=True)


class BaseContext(Generic[Data]):
    """What both kinds of context share: the run and what started it.

    `Context[Order]` has the data of each event validated as `Order`; without an annotation it is the parsed JSON.
    """

    def __init__(self, start: Start, batch: list[Data], steps: Steps, scribe: Scribe | None) -> None:
        self._start = start
        self._batch = batch
        self._steps = steps
        self._scribe = scribe

    @property
    def data(self) -> Data:
        """The data of the first event."""
        return self._batch[0]

    @property
    def batch(self) -> list[Data]:
        """The data of every event, in the order of `events`."""
        return self._batch

    @cached_property
    def events(self) -> list[ReceivedEvent]:
        """The events that started the run, oldest first; more than one for a batch."""
        return [ReceivedEvent.of(event) for event in self._start.events]

    @property
    def event(self) -> ReceivedEvent:
        """The first event."""
        return self.events[0]

    @property
    def run_id(self) -> str:
        """Id of the run."""
        return self._start.run_id

    @property
    def attempt(self) -> int:
        """How often the handler has failed, outside its steps, before this attempt."""
        return self._start.attempt

    @property
    def idempotency_key(self) -> str:
        """The same text at every attempt and replay: of the run, and inside a step's body of that step.

        Hand it to services that recognise a request they have seen.
        """
        step = self._steps.inside()
        return f"{self.run_id}/{step}" if step else self.run_id

    @cached_property
    def log(self) -> RunLog:
        """A logger; its lines are kept with the run, with the step and attempt they belong to. See `RunLog`."""
        return RunLog(self.run_id, self._start.function_id, self._scribe)

    def progress(self, value: float, text: str = "") -> None:
        """Says how far the step at hand, or outside steps the run, has come; the newest is shown.

        Args:
            value: from 0 to 1.
            text: what is being done, at most 256 characters.

        Raises:
            InvalidValue: it is none of that.
        """
        check_progress(value, text)
        if self._scribe is not None:
            self._scribe.advance(value, text)


class Context(BaseContext[Data]):
    """What an `async def` handler is given.

    It has `event, events, data, batch, run_id, attempt, step, log, progress, idempotency_key`.
    """

    @cached_property
    def step(self) -> Step:
        """The steps of this run."""
        return Step(self._steps)


class SyncContext(BaseContext[Data]):
    """What a `def` handler is given: as `Context`, with steps that block."""

    @cached_property
    def step(self) -> SyncStep:
        """The steps of this run."""
        return SyncStep(self._steps)
