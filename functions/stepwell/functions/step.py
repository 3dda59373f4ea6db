"""Steps: the units of a run that are recorded once and never done again."""

from __future__ import annotations

import sys
from collections.abc import Callable, Coroutine, Mapping, Sequence
from datetime import datetime
from functools import wraps
from typing import TYPE_CHECKING, Any, Concatenate, Final, ParamSpec, TypeVar, overload

from stepwell.functions.durations import Duration, milliseconds, moment
from stepwell.functions.errors import FunctionsError, InvalidDuration, InvalidStep, InvalidValue
from stepwell.functions.function import Function
from stepwell.functions.invocation import invocation
from stepwell.functions.options import Options, Place
from stepwell.functions.outgoing import Outgoing, wire
from stepwell.functions.received import ReceivedEvent
from stepwell.functions.retries import Retries, retries
from stepwell.functions.slips import ABSENT, bodiless
from stepwell.functions.waits import EventWait, First, race

if TYPE_CHECKING:
    from stepwell.functions.replay.gate import Ticket
    from stepwell.functions.replay.steps import Steps

P = ParamSpec("P")
T = TypeVar("T")
DEFAULTS: Final = Options()


def explained(
    example: str,
) -> Callable[
    [Callable[Concatenate[Step, P], Coroutine[Any, Any, T]]], Callable[Concatenate[Step, P], Coroutine[Any, Any, T]]
]:
    """A method of `Step` that fails the run at once, and names function and step, when it cannot take its arguments.

    Args:
        example: of how it is called.
    """

    def wrap(
        method: Callable[Concatenate[Step, P], Coroutine[Any, Any, T]],
    ) -> Callable[Concatenate[Step, P], Coroutine[Any, Any, T]]:
        @wraps(method)
        def call(step: Step, /, *args: P.args, **kwargs: P.kwargs) -> Coroutine[Any, Any, T]:
            refused = step._refused  # pyright: ignore[reportPrivateUsage]
            try:
                return method(step, *args, **kwargs)
            except (InvalidDuration, InvalidStep, InvalidValue) as error:
                return refused(type(error), f"step {id_in(args, kwargs)!r}: {error}")
            except TypeError as error:
                return refused(InvalidStep, f"{error}: write {example}")

        return call

    return wrap


class Step:
    """The steps of a run, for `async def` handlers.

    Steps run beside each other with `asyncio.gather`, a `TaskGroup` or tasks. Ids may repeat in one coroutine, by a
    loop or a `gather` of steps: the second call is recorded as "id:1". Coroutines that run side by side need ids of
    their own.

    Code outside steps runs again at every replay, and `finally` blocks also when the run is suspended. Let only durable
    things race: against a timer or other input and output in memory, another branch may be first the next time. A step
    cut short by a timer in memory (`asyncio.timeout`) records nothing: use `options(timeout=…)`. Tasks that nobody
    awaits end with the handler, and do not keep a run from being suspended.
    """

    __slots__ = ("_options", "_place", "_steps")

    def __init__(self, steps: Steps, options: Options = DEFAULTS, place: Place | None = None) -> None:
        self._steps = steps
        self._options = options
        self._place = place

    @overload
    def run(
        self, id: str, fn: Callable[P, Coroutine[Any, Any, T]], /, *args: P.args, **kwargs: P.kwargs
    ) -> Coroutine[Any, Any, T]: ...
    @overload
    def run(self, id: str, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Coroutine[Any, Any, T]: ...
    def run(
        self, id: str = ABSENT, fn: Callable[..., Any] = ABSENT, /, *args: Any, **kwargs: Any
    ) -> Coroutine[Any, Any, Any]:
        """Calls `fn(*args, **kwargs)` once, records what it returns, and gives that at every replay.

        An `async def` body runs where the step is awaited; a `def` body in a thread, so that it does not hold up
        others. What comes back is what was read from the record: by the body's return annotation, or plain JSON
        (tuples are lists).

        Args:
            id: names the step within the run.
            fn: the body; tried again when it raises, as `retries` says.

        Raises:
            StepFailed: the body failed on its last attempt, or with an error that is not retriable.
            DuplicateStep, NonDeterministic, InvalidId, MisplacedStep: the id cannot be used here.
            InvalidStep: `fn` is no function, or cannot be called with these arguments.
            LimitExceeded: the run has too many steps or too large a state.
        """
        # As `_ticket`, spelled out: this is the one call that each step of each run makes.
        place = self._place
        if place is None:
            frame = sys._getframe(1)  # pyright: ignore[reportPrivateUsage]
            place = (frame.f_code, frame.f_lasti)
        steps = self._steps
        ticket = steps.ticket(id, place) if callable(fn) else bodiless(steps.name, id, fn)
        return steps.run(ticket, self._options, fn, args, kwargs)

    @explained('step.sleep("pause", "5m")')
    def sleep(self, id: str, duration: Duration) -> Coroutine[Any, Any, None]:
        """Sleeps in the record, not in memory: for as long as you like, across crashes and deploys.

        Args:
            id: names the step within the run.
            duration: "300ms", "5m", "1h30m", a timedelta, or seconds; counted from when it is first reached.

        Raises:
            InvalidDuration: the duration cannot be read.
        """
        delay = milliseconds(duration)
        return self._steps.sleep(self._ticket(id), delay, None)

    @explained('step.sleep_until("opening", "2030-01-31T09:00:00+01:00")')
    def sleep_until(self, id: str, when: datetime | str) -> Coroutine[Any, Any, None]:
        """Sleeps in the record until a moment; one that has passed is no sleep.

        Args:
            id: names the step within the run.
            when: an aware datetime, or ISO 8601 text with an offset.

        Raises:
            InvalidDuration: the moment cannot be read, or has no time zone.
        """
        until = moment(when)
        return self._steps.sleep(self._ticket(id), None, until)

    @explained('step.send("tell", Event("order.packed", {"id": "A-1"}))')
    def send(self, id: str, *events: Outgoing) -> Coroutine[Any, Any, list[str]]:
        """Publishes events exactly once, and gives their ids.

        Args:
            id: names the step within the run.
            events: `stepwell.client.Event`, or a mapping with name and data, and perhaps id and ts.

        Raises:
            InvalidValue: it is no event, has no name, or its data is no JSON.
        """
        wired = [wire(event) for event in events]
        return self._steps.send(self._ticket(id), wired)

    @explained('step.wait_for_event("approval", "order.approved", match="data.id", timeout="7d")')
    def wait_for_event(
        self,
        id: str,
        name: str,
        *,
        match: str | None = None,
        if_: str | None = None,
        timeout: Duration | None = None,
        lookback: bool = True,
    ) -> Coroutine[Any, Any, ReceivedEvent | None]:
        """Waits in the record for an event, and gives it; None when `timeout` has passed without one.

        Args:
            id: names the step within the run.
            name: of the event; no wildcard.
            match: a path, such as "data.id", at which it and the event that started the run have the same value.
            if_: instead, an expression over `event`, which started the run, and `async`, the one waited for.
            timeout: counted from when the wait is first reached; None: for as long as the run lives.
            lookback: whether one counts that came after the event that started the run, but before the wait was
                reached.

        Raises:
            InvalidStep, InvalidDuration: a value cannot be used.
        """
        wait = EventWait(name, match, if_, lookback)
        delay = None if timeout is None else milliseconds(timeout)
        return self._steps.wait_for_event(self._ticket(id), wait, delay)

    @explained('step.wait_for_any("decision", {"approved": on_event("order.approved"), "reminder": "3d"})')
    def wait_for_any(
        self, id: str, entries: Mapping[str, EventWait | Duration | datetime]
    ) -> Coroutine[Any, Any, First]:
        """Waits in the record for whichever comes first, and gives that; all others are void.

        Args:
            id: names the step within the run.
            entries: by name, what is waited for: `on_event(…)`, up to 16 of them, a duration counted from when the
                wait is first reached, or an aware datetime.

        Raises:
            InvalidStep, InvalidDuration: a value cannot be used.
        """
        entered = race(entries)
        return self._steps.wait_for_any(self._ticket(id), entered)

    @overload
    def invoke(
        self,
        /,
        id: str,
        function: Function[T],
        data: object = None,
        *,
        timeout: Duration | None = None,
        detach: bool = False,
    ) -> Coroutine[Any, Any, T]: ...
    @overload
    def invoke(
        self, /, id: str, function: str, data: object = None, *, timeout: Duration | None = None, detach: bool = False
    ) -> Coroutine[Any, Any, Any]: ...
    @explained('step.invoke("pack", pack, {"order": "A-1"}), where pack is what @app.function(…) has made')
    def invoke(
        self,
        id: str,
        function: Function[Any] | str,
        data: object = None,
        *,
        timeout: Duration | None = None,
        detach: bool = False,
    ) -> Coroutine[Any, Any, Any]:
        """Runs another function, in a run of its own, and gives what it has returned.

        Args:
            id: names the step within the run.
            function: as `@app.function(…)` made it, or "app-id/function-id"; by name, the result is plain JSON.
            data: what its `ctx.data` is: a dict, a dataclass, or a pydantic model.
            timeout: how long it may take, counted from when the step is first reached; None: for as long as it likes.
            detach: whether it goes on when this run is cancelled.

        Raises:
            InvokeFailed: it failed, was cancelled, did not end in time, or is not known.
            InvalidStep, InvalidDuration, InvalidValue: a value cannot be used.
        """
        call = invocation(self._steps.name.partition("/")[0], function, data, timeout, detach)
        return self._steps.invoke(self._ticket(id), call)

    def options(self, *, retries: int | Retries | None = None, timeout: Duration | None = None) -> Step:
        """The same steps with other settings: `await ctx.step.options(retries=0, timeout="10s").run("charge", charge)`.

        Args:
            retries: instead of the function's.
            timeout: of one attempt; a `def` body goes on in its thread, but nobody waits for it.

        Raises:
            InvalidControl, InvalidDuration: a value cannot be used.
        """
        return Step(self._steps, merged(self._options, retries, timeout), self._place)

    def _ticket(self, id: str) -> Ticket:
        # The caller called what `explained` has made of a method, which has called the method.
        return self._steps.ticket(id, self._place or caller(4))

    def _refused(self, kind: type[FunctionsError], why: str) -> Coroutine[Any, Any, Any]:
        """What raises an error when it is awaited."""
        return self._steps.refused(kind(f"{self._steps.name}: {why}"))


def caller(depth: int = 2) -> Place:
    """Where a step is called, so many frames up."""
    frame = sys._getframe(depth)  # pyright: ignore[reportPrivateUsage]
    return frame.f_code, frame.f_lasti


def id_in(args: Sequence[object], kwargs: Mapping[str, object]) -> object:
    """The id among the arguments of a step's method."""
    return args[0] if args else kwargs.get("id")


def merged(before: Options, given: int | Retries | None, timeout: Duration | None) -> Options:
    """Options with some of them set anew."""
    return Options(
        before.retries if given is None else retries(given),
        before.timeout if timeout is None else milliseconds(timeout),
    )
