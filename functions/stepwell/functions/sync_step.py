"""Steps for `def` handlers: each call blocks until its outcome is there."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar, overload

from stepwell.functions.durations import Duration
from stepwell.functions.function import Function
from stepwell.functions.options import Options, Place
from stepwell.functions.retries import Retries
from stepwell.functions.slips import ABSENT
from stepwell.functions.step import DEFAULTS, Step, caller, id_in, merged

if TYPE_CHECKING:
    from stepwell.functions.replay.steps import Steps

P = ParamSpec("P")
T = TypeVar("T")
T1 = TypeVar("T1")
T2 = TypeVar("T2")
T3 = TypeVar("T3")
T4 = TypeVar("T4")


def blocking(method: Callable[Concatenate[Step, P], Coroutine[Any, Any, T]]) -> Callable[Concatenate[SyncStep, P], T]:
    """A method of `Step` for threads: the same code, performed on the loop while the thread waits."""

    def call(step: SyncStep, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return step.perform(str(id_in(args, kwargs)), caller(), lambda of: method(of, *args, **kwargs))

    call.__doc__ = method.__doc__
    return call


class SyncStep:
    """The steps of a run, for `def` handlers: as `Step`, but each call blocks until its outcome is there."""

    __slots__ = ("_options", "_steps")

    def __init__(self, steps: Steps, options: Options = DEFAULTS) -> None:
        self._steps = steps
        self._options = options

    sleep = blocking(Step.sleep)
    sleep_until = blocking(Step.sleep_until)
    wait_for_event = blocking(Step.wait_for_event)
    wait_for_any = blocking(Step.wait_for_any)
    send = blocking(Step.send)

    @overload
    def run(self, id: str, fn: Callable[P, Coroutine[Any, Any, T]], /, *args: P.args, **kwargs: P.kwargs) -> T: ...
    @overload
    def run(self, id: str, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T: ...
    def run(self, id: str = ABSENT, fn: Callable[..., Any] = ABSENT, /, *args: Any, **kwargs: Any) -> Any:
        """As `Step.run`; a `def` body runs in the handler's own thread, an `async def` body on the worker's loop."""
        return self.perform(id, caller(), lambda of: of.run(id, fn, *args, **kwargs))

    @overload
    def invoke(
        self,
        id: str,
        function: Function[T],
        data: object = None,
        *,
        timeout: Duration | None = None,
        detach: bool = False,
    ) -> T: ...
    @overload
    def invoke(
        self, id: str, function: str, data: object = None, *, timeout: Duration | None = None, detach: bool = False
    ) -> Any: ...
    def invoke(self, *args: Any, **kwargs: Any) -> Any:
        """As `Step.invoke`."""
        return self.perform(str(id_in(args, kwargs)), caller(), lambda of: of.invoke(*args, **kwargs))

    @overload
    def parallel(self, one: Callable[[], T1], /) -> tuple[T1]: ...
    @overload
    def parallel(self, one: Callable[[], T1], two: Callable[[], T2], /) -> tuple[T1, T2]: ...
    @overload
    def parallel(
        self, one: Callable[[], T1], two: Callable[[], T2], three: Callable[[], T3], /
    ) -> tuple[T1, T2, T3]: ...
    @overload
    def parallel(
        self, one: Callable[[], T1], two: Callable[[], T2], three: Callable[[], T3], four: Callable[[], T4], /
    ) -> tuple[T1, T2, T3, T4]: ...
    @overload
    def parallel(self, *branches: Callable[[], T]) -> tuple[T, ...]: ...
    def parallel(self, *branches: Callable[[], Any]) -> tuple[Any, ...]:
        """Runs branches beside each other, each in a thread of its own and with steps of its own.

        `a, b = step.parallel(lambda: step.run("pack", pack), lambda: step.run("label", label))`

        Returns:
            What they returned, when all have ended.

        Raises:
            BaseException: what the first of them, in the order given, has raised.
        """
        return tuple(self._steps.ask("step.parallel", lambda: self._steps.parallel(branches)))

    def options(self, *, retries: int | Retries | None = None, timeout: Duration | None = None) -> SyncStep:
        """As `Step.options`; a `def` body with a timeout runs in a thread of the worker's."""
        return SyncStep(self._steps, merged(self._options, retries, timeout))

    def perform(self, id: str, place: Place, step: Callable[[Step], Coroutine[Any, Any, T]]) -> T:
        """Performs one step on the loop, for the thread that calls."""
        return self._steps.ask(id, lambda: step(Step(self._steps, self._options, place)))
