"""What the server answers with, as frozen records. Fields the server adds later are ignored."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

T = TypeVar("T")

RunStatus = Literal["queued", "running", "waiting", "completed", "failed", "cancelled"]


@dataclass(frozen=True, slots=True)
class Cause:
    """Another exception that an error has come from, as a `Failure` tells of it.

    `relation` is "cause" when the one before was raised from it, "context" when it was being handled then, and
    "member" when it is one of a group.
    """

    relation: str
    type: str
    message: str
    traceback: str | None = None


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a run or a step failed: the exception's type, its message, and the traceback as text if there is one.

    `causes` are what it has come from, the nearest first; `causes_cut` more are not kept.
    """

    type: str
    message: str
    traceback: str | None = None
    causes: tuple[Cause, ...] = ()
    causes_cut: int = 0


@dataclass(frozen=True, slots=True)
class Try:
    """A failed attempt of a step; times are ms UTC, `worker` is the session that has made it."""

    attempt: int
    started_at: int
    ended_at: int
    error: Failure | None = None
    worker: str | None = None


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One thing that has happened to a run, `at` ms UTC and, when it lasted, `until` then; None when it goes on.

    `kind` is created; queued, running or waiting, for as long as the run was; step; failed_attempt, of a step or of the
    function; kept, a step that it has from the run that it does again; cancel_requested; retry, wake or resolve, by
    hand; completed, failed or cancelled. `outcome` says how a step, or running, has ended; `due` when it goes on, or is
    tried again.
    """

    number: int
    at: int
    kind: str
    until: int | None = None
    step: str | None = None
    step_kind: str | None = None
    worker: str | None = None
    attempt: int | None = None
    outcome: str | None = None
    due: int | None = None
    error: Failure | None = None


@dataclass(frozen=True, slots=True)
class History:
    """What has happened to a run, oldest first, and how long it was queued, running and waiting, in ms.

    `next` continues it, None at the end for now; `dropped` older turns, failed attempts and acts are not kept.
    """

    data: tuple[HistoryEntry, ...]
    total: int
    dropped: int
    queued_ms: int
    running_ms: int
    waiting_ms: int
    next: str | None = None


@dataclass(frozen=True, slots=True)
class LogLine:
    """A line that a run has logged, or printed (level "print").

    `number` counts the lines of the run from 1; `at` is ms UTC; `step` is the key of the step whose body said it, None
    outside steps, and `attempt` which attempt of that, from 1. `fields` were given as `extra=`.
    """

    number: int
    at: int
    level: str
    message: str
    fields: dict[str, Any]
    step: str | None = None
    attempt: int = 1


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run or a step says to have come: `value` from 0 to 1, and a text. The rest is as of a `LogLine`."""

    at: int
    value: float
    text: str = ""
    step: str | None = None
    attempt: int = 1


@dataclass(frozen=True, slots=True)
class Run:
    """One execution of a function for one event.

    Times are ms UTC and None until it has come to that. `function` is "app/function"; `output` is set when the status
    is completed, `error` when it is failed; `waiting_on` says what a waiting run waits for. `parent_id` and
    `parent_step` invoked it, `rerun_of` is the run that it does again. `versions` of the app have executed it, at most
    the last 20; `drift` are keys of recorded steps that it did not ask for to its end. `event_ids` are all its events,
    more than one of a batch. `progress` is the newest, until it has ended. `hidden` says that the API key may not see
    `output`, which then is None.
    """

    id: str
    function: str
    app: str
    status: RunStatus
    event_id: str | None = None
    event_name: str | None = None
    attempt: int = 0
    created_at: int | None = None
    started_at: int | None = None
    ended_at: int | None = None
    output: Any = None
    error: Failure | None = None
    waiting_on: Any = None
    parent_id: str | None = None
    version: str | None = None
    parent_step: str | None = None
    rerun_of: str | None = None
    versions: tuple[str, ...] = ()
    drift: tuple[str, ...] = ()
    event_ids: tuple[str, ...] = ()
    hidden: bool = False
    progress: Progress | None = None

    @property
    def ended(self) -> bool:
        """Whether its status will never change again."""
        return self.status in ("completed", "failed", "cancelled")


@dataclass(frozen=True, slots=True)
class Step:
    """A named unit inside a run whose outcome is recorded once; times are ms UTC, `wakes_at` is when a wait is due.

    `events` are those that it waits for, each with name and condition; `child_id` is the run that it has invoked.
    `hidden` says that the API key may not see `output`. `tries` are its failed attempts that are kept. `worker` is the
    session that executes its body, when the status is running.
    """

    id: str
    index: int
    kind: str
    status: str
    attempts: int = 0
    output: Any = None
    error: Failure | None = None
    started_at: int | None = None
    ended_at: int | None = None
    wakes_at: int | None = None
    events: Any = ()
    child_id: str | None = None
    hidden: bool = False
    progress: Progress | None = None
    tries: tuple[Try, ...] = ()
    worker: str | None = None


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """An event as the server keeps it; `id` is the one that `send` returned, `runs` the ids of the runs it started.

    `refusals`: functions of which it has started no run, each with `function`, `reason`, `run` and `message`.
    `data` is None, and `hidden` true, when the API key may not see it.
    """

    id: str
    name: str
    data: dict[str, Any] | None
    ts: int
    received_at: int | None = None
    runs: tuple[str, ...] = ()
    refusals: tuple[dict[str, Any], ...] = ()
    hidden: bool = False


BulkAction = Literal["cancel", "rerun", "retry"]
BulkState = Literal["running", "stopping", "stopped", "done", "failed"]


@dataclass(frozen=True, slots=True)
class ErrorGroup:
    """Errors of one type whose messages differ at most in words with a digit, such as ids.

    `count` runs failed so; `message` is the most frequent of so many `messages`, and that of the run `example`.
    """

    type: str
    message: str
    count: int
    messages: int = 1
    example: str | None = None


@dataclass(frozen=True, slots=True)
class BulkPreview:
    """What a bulk job would do to runs as they are now.

    `count` runs were found, at least so many unless `exact`; `searched` of `total` were looked at. `filter` is that of
    the job, with a `before`; `examples` are the newest of those found; `failed` of those that were looked at have
    failed with one of the `errors`, of which these are the 20 most frequent.
    """

    action: BulkAction
    filter: dict[str, Any]
    count: int
    exact: bool
    searched: int = 0
    total: int = 0
    undecided: int = 0
    examples: tuple[Run, ...] = ()
    failed: int = 0
    errors: tuple[ErrorGroup, ...] = ()
    from_failed: bool = False


@dataclass(frozen=True, slots=True)
class BulkRefusal:
    """So many runs that something could not be done to, why, and ids of the first of them."""

    reason: str
    count: int
    examples: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class BulkJob:
    """Many runs that are cancelled, done again or tried again now, and how far that has come.

    Of `total` runs `searched` were looked at; of those `matched` were found, of which `done` were steered, `refused`
    could not be (`refusals` says why), and `left` are yet to be. `by` is the API key of who asked, `problem` why it has
    failed, `rate` is in runs per second, and times are ms UTC.
    """

    id: str
    action: BulkAction
    filter: dict[str, Any]
    state: BulkState
    rate: int = 0
    by: str = ""
    problem: str | None = None
    created_at: int | None = None
    ended_at: int | None = None
    searched: int = 0
    total: int = 0
    undecided: int = 0
    matched: int = 0
    done: int = 0
    refused: int = 0
    refusals: tuple[BulkRefusal, ...] = ()
    left: int = 0
    from_failed: bool = False

    @property
    def ended(self) -> bool:
        """Whether nothing more is done by it."""
        return self.state in ("stopped", "done", "failed")


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Part of a list; `next` is the cursor of the following part, None on the last.

    `searched` of `total` entries were looked at for this part, so a part may be empty and still have a `next`; of
    `undecided` of them an expression could not be evaluated, because it needed too many steps.
    """

    items: tuple[T, ...]
    next: str | None = None
    searched: int | None = None
    total: int | None = None
    undecided: int = 0

    def __iter__(self) -> Iterator[T]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)
