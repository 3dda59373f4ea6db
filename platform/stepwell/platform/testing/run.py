"""A run as a test sees it, and what a test may say of it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any, ClassVar

from stepwell.client import Failure, LogLine, Progress
from stepwell.platform.api.models import run as models
from stepwell.platform.testing.moment import datetime_or_none
from stepwell.platform.testing.picture import lines_of, text_of
from stepwell.platform.testing.step import TestStep, failure_of


@dataclass(frozen=True, slots=True)
class TestRun:
    """A run as it was when it was looked at. Times are aware datetimes, `None` until it has come to that.

    Args:
        id: of the run.
        function: as `app/function`.
        status: queued, running, waiting, completed, failed or cancelled.
        event_id, event_name: of the event that started it.
        attempt: failed tries of its handler, outside steps.
        output: what it returned, as plain JSON.
        error: why it failed.
        steps: by key, in the order in which they began.
        wakes_at: when the first thing it waits for is due; `None` too when that may take for ever.
        rerun_of: the run that it does again.
        versions: of its app, that have executed it.
        drift: keys of recorded steps that it did not ask for to its end.
        logs: the lines that it has logged and printed, in their order; see `LogLine`.
        progress: the newest that it, or one of its steps, has said.
    """

    __test__: ClassVar[bool] = False

    id: str
    function: str
    status: str
    event_id: str
    event_name: str | None
    attempt: int
    output: Any
    error: Failure | None
    steps: Mapping[str, TestStep]
    created_at: datetime | None
    started_at: datetime | None
    ended_at: datetime | None
    wakes_at: datetime | None
    rerun_of: str | None
    versions: tuple[str, ...]
    drift: tuple[str, ...]
    logs: tuple[LogLine, ...]
    progress: Progress | None

    @classmethod
    def of(
        cls, run: models.Run, steps: list[models.Step], logs: tuple[LogLine, ...], progress: Progress | None
    ) -> "TestRun":
        """A run as the API gives it, and what its code has said."""
        due = [wait.until for wait in run.waiting_on or () if wait.until is not None]
        return cls(
            run.id,
            run.function,
            run.status,
            run.event_id,
            run.event_name,
            run.attempt,
            run.output,
            failure_of(run.error),
            MappingProxyType({step.id: TestStep.of(step) for step in steps}),
            datetime_or_none(run.created_at),
            datetime_or_none(run.started_at),
            datetime_or_none(run.ended_at),
            datetime_or_none(min(due, default=None)),
            run.rerun_of,
            tuple(run.versions),
            tuple(run.drift),
            logs,
            progress,
        )

    def completed(self) -> Any:
        """Asserts that the run is completed, and gives its output."""
        __tracebackhide__ = True
        self._is("completed")
        return self.output

    def failed(self, error: str | None = None) -> Failure:
        """Asserts that the run is failed, and gives its error.

        Args:
            error: type of the exception that the handler raised, or that the step did because of which it failed.
        """
        __tracebackhide__ = True
        self._is("failed")
        assert self.error is not None
        if error is not None and error not in self._error_types():
            raise AssertionError(f"the run should be failed by {error}, but:\n{self}")
        return self.error

    def cancelled(self) -> None:
        """Asserts that the run is cancelled."""
        __tracebackhide__ = True
        self._is("cancelled")

    def waiting(self, step: str | None = None) -> datetime | None:
        """Asserts that the run is waiting, and tells when that ends.

        Args:
            step: key of a step that has to wait, or be about to be tried again; by default any.
        """
        __tracebackhide__ = True
        self._is("waiting")
        if step is None:
            return self.wakes_at
        found = self.steps.get(step)
        if found is None or (found.wakes_at is None and found.status != "waiting"):
            raise AssertionError(f"the run should be waiting in step {step!r}, but:\n{self}")
        return found.wakes_at

    def _is(self, status: str) -> None:
        __tracebackhide__ = True
        if self.status != status:
            raise AssertionError(f"the run should be {status}, but:\n{self}")

    def _error_types(self) -> Iterator[str]:
        if self.error is None:
            return
        yield self.error.type
        if self.error.type in ("StepFailed", "InvokeFailed"):
            failed = [step for step in self.steps.values() if step.status == "failed"]
            yield from (step.error.type for step in failed if step.error and step.error.message in self.error.message)

    def __str__(self) -> str:
        """The run in a line, and each of its steps in one."""
        return "\n".join([f"run {self.id} of {self.function} is {self.status}{self._why()}", *lines_of(self.steps)])

    def _why(self) -> str:
        match self.status:
            case "failed" if self.error:
                return f": {text_of(self.error)}"
            case "completed":
                return f": {self.output!r:.200}"
            case "waiting" if self.wakes_at:
                return f" until {self.wakes_at}"
            case "queued" | "running" if self.wakes_at is None:
                return " (it was not waited for: `await platform.settle()`)"
            case _:
                return ""
