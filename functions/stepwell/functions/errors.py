"""What can go wrong between a handler and the platform.

    FunctionsError
    ├── DefinitionError            while the module is imported; names the function or the value that is wrong
    │   ├── InvalidId              an app, function or step id with signs that are not allowed
    │   ├── InvalidHandler         neither `def` nor `async def`, a class, a generator, or no room for the context
    │   ├── InvalidTrigger         an event name or a schedule that cannot be one
    │   ├── InvalidControl         a control with an impossible value
    │   ├── InvalidDuration        not "300ms", "5m", "1h30m", a timedelta or a number of seconds
    │   └── DuplicateFunction      two functions of an app with one id
    ├── NonRetriable               raise it (or a child of it) and nothing is tried again
    │   ├── InvalidStep            a step that is called with what it cannot take, or never awaited
    │   ├── InvalidValue           a value is not what an annotation says, or nothing that JSON can carry
    │   ├── LimitExceeded          an output, the steps or the state of the run is over its limit
    │   └── MisplacedStep          a step inside another step, or outside its own run
    ├── RetryAfter                 raise it to say when the next attempt is due
    ├── StepFailed                 raised in the handler when a step has failed for good; catch it to compensate
    ├── InvokeFailed               raised in the handler when a function it invoked did not complete; catch it as well
    ├── DuplicateStep              one step id in two branches that run side by side
    └── NonDeterministic           a step id met again as another kind of step

Uncaught, all but RetryAfter fail the run at once; any other exception is retried. Every one survives pickling.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import ClassVar


class FunctionsError(Exception):
    """The base of all errors of this part; `retriable` says whether trying again may help."""

    retriable: ClassVar[bool] = False


class DefinitionError(FunctionsError, ValueError):
    """Something in the definition of an app, function or step is wrong."""


class InvalidId(DefinitionError):
    """An id that is not allowed."""


class InvalidHandler(DefinitionError):
    """A handler that cannot be called as one."""


class InvalidTrigger(DefinitionError):
    """A trigger that can never match."""


class InvalidControl(DefinitionError):
    """A control with an impossible value."""


class InvalidDuration(DefinitionError):
    """A duration or moment that cannot be read."""


class DuplicateFunction(DefinitionError):
    """Two functions of one app with the same id."""


class NonRetriable(FunctionsError):
    """Raise it in a step or handler when trying again cannot help: the step, or the run, fails at once."""


class InvalidStep(NonRetriable):
    """A step called with something it cannot take, such as a coroutine for a function, or never awaited."""


class InvalidValue(NonRetriable):
    """A value that cannot be recorded, or a recorded or received one that is not what the annotation says."""


class LimitExceeded(NonRetriable):
    """A limit of the platform is exceeded; the text names the limit, the size and the setting."""


class MisplacedStep(NonRetriable):
    """A step called inside the body of another step, or outside its own run."""


class RetryAfter(FunctionsError):
    """Raise it in a step or handler to say when the next attempt is due; attempts are counted as ever.

    Args:
        when: a duration from now ("30s", a timedelta, a number of seconds) or an aware datetime.
        message: why; shown as the error of this attempt.

    Raises:
        InvalidDuration: `when` cannot be read, or is a datetime without a time zone.
    """

    retriable = True

    def __init__(self, when: str | float | timedelta | datetime, message: str = "") -> None:
        # durations.py takes its error from here. Read now, so that a mistake is met where it is made.
        from stepwell.functions.durations import milliseconds, moment

        moment(when) if isinstance(when, datetime) else milliseconds(when)
        super().__init__(when, message)
        self.when = when
        self.message = message

    def __str__(self) -> str:
        return self.message or f"try again after {self.when}"


class StepFailed(FunctionsError):
    """A step has failed for good: on its last attempt, or with an error that is not retriable.

    Args:
        step: key of the step.
        type: name of the class of the step's error.
        message: text of the step's error.
        attempts: how often the step's body was tried.
    """

    def __init__(self, step: str, type: str, message: str, attempts: int) -> None:  # noqa: A002 - its name in the record
        super().__init__(step, type, message, attempts)
        self.step = step
        self.type = type
        self.message = message
        self.attempts = attempts

    def __str__(self) -> str:
        times = "1 attempt" if self.attempts == 1 else f"{self.attempts} attempts"
        return f"step {self.step!r} failed after {times}: {self.type}: {self.message}"


class InvokeFailed(FunctionsError):
    """A function that a step has invoked did not complete: it failed, was cancelled, took too long, or is not known.

    Args:
        step: key of the step.
        function: "app-id/function-id" of what was invoked.
        run_id: of its run; "" when there was none.
        type: name of the class of its error.
        message: text of its error.
    """

    def __init__(self, step: str, function: str, run_id: str, type: str, message: str) -> None:  # noqa: A002 - as above
        super().__init__(step, function, run_id, type, message)
        self.step = step
        self.function = function
        self.run_id = run_id
        self.type = type
        self.message = message

    def __str__(self) -> str:
        run = f" (run {self.run_id})" if self.run_id else ""
        return f"step {self.step!r}: {self.function} did not complete{run}: {self.type}: {self.message}"


class DuplicateStep(FunctionsError):
    """One step id used in branches that run side by side, so nothing says whose outcome is whose.

    Args:
        step: the id.
        first: where it was used before, "file:line in function".
        second: where it was used again.
    """

    def __init__(self, step: str, first: str, second: str) -> None:
        super().__init__(step, first, second)
        self.step = step
        self.first = first
        self.second = second

    def __str__(self) -> str:
        return (
            f"step id {self.step!r} is used by two branches that run side by side: at {self.first} and "
            f"at {self.second}. "
            "Give each branch an id of its own, such as f'pack-{item.id}'"
        )


class NonDeterministic(FunctionsError):
    """A step id was recorded as one kind of step and is now asked for as another.

    Args:
        step: key of the step.
        recorded: its kind in the record of the run.
        asked: its kind in the code as it is now.
    """

    def __init__(self, step: str, recorded: str, asked: str) -> None:
        super().__init__(step, recorded, asked)
        self.step = step
        self.recorded = recorded
        self.asked = asked

    def __str__(self) -> str:
        return (
            f"step {self.step!r} is recorded as {self.recorded!r} and is now asked for as {self.asked!r}. "
            "Give a step that does something else another id; runs that began with the old code keep the old one"
        )
