"""A step of a run as a test sees it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

from stepwell.client import Cause, Failure, Progress
from stepwell.platform.api.models import run as models
from stepwell.platform.testing.moment import datetime_or_none


@dataclass(frozen=True, slots=True)
class TestStep:
    """A step of a run. Times are aware datetimes, `None` until it has come to that.

    Args:
        id: its key: the id it has in the code, then "id:1", "id:2" for repeats.
        kind: run, sleep, send, wait_for_event, wait_for_any or invoke.
        status: waiting, retrying, completed or failed.
        attempts: tries of its body.
        output: what it gave, as plain JSON.
        error: that of its last try.
        wakes_at: when its wait ends at the latest, or it is tried again.
        child_id: the run that it has invoked.
        progress: the newest that its body has said.
    """

    __test__: ClassVar[bool] = False

    id: str
    kind: str
    status: str
    attempts: int
    output: Any
    error: Failure | None
    started_at: datetime | None
    ended_at: datetime | None
    wakes_at: datetime | None
    child_id: str | None
    progress: Progress | None

    @classmethod
    def of(cls, step: models.Step) -> "TestStep":
        """A step as the API gives it."""
        return cls(
            step.id,
            step.kind,
            step.status,
            step.attempts,
            step.output,
            failure_of(step.error),
            datetime_or_none(step.started_at),
            datetime_or_none(step.ended_at),
            datetime_or_none(step.wakes_at),
            step.child_id,
            Progress(**step.progress.model_dump()) if step.progress else None,
        )


def failure_of(error: models.Failure | None) -> Failure | None:
    """An error as the API gives it."""
    if error is None:
        return None
    causes = tuple(Cause(one.relation, one.type, one.message, one.traceback) for one in error.causes)
    return Failure(error.type, error.message, error.traceback, causes, error.causes_cut)
