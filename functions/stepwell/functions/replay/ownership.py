"""Which run the code at hand belongs to.

A context variable holds it. It is inherited by every task the handler creates, and a task factory registers those
with their run. Inside a step's body it holds the step's key instead: tasks made there are nobody's, and a step called
there is misplaced.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Generator
from contextvars import ContextVar
from typing import Any, Final

AnyTask = asyncio.Task[Any]
AnyFuture = asyncio.Future[Any]
Loop = asyncio.AbstractEventLoop
Adopt = Callable[[AnyTask], None]


class Owner:
    """A run as its tasks know it. Emptied at the end: contexts outlive runs, in the timers and pools of other
    libraries."""

    __slots__ = ("adopt",)

    def __init__(self, adopt: Adopt) -> None:
        self.adopt: Adopt | None = adopt


OWNER: Final[ContextVar[Owner | str | None]] = ContextVar("stepwell-owner", default=None)


class Adopting:
    """A task factory that registers the tasks of runs, and leaves all others to the factory that was there before.

    Tasks of runs are always plain: an eager one would run before it is registered.
    """

    __slots__ = ("_previous",)

    def __init__(self, previous: Callable[..., AnyFuture] | None) -> None:
        self._previous = previous

    def __call__(
        self, loop: asyncio.AbstractEventLoop, coro: Coroutine[Any, Any, Any] | Generator[Any, None, Any], **kwargs: Any
    ) -> AnyFuture:
        context = kwargs.get("context")
        owner = OWNER.get() if context is None else context.get(OWNER)
        if not isinstance(owner, Owner) or owner.adopt is None:
            return self._other(loop, coro, **kwargs)
        kwargs.pop("eager_start", None)
        task: AnyTask = asyncio.Task(coro, loop=loop, **kwargs)
        owner.adopt(task)
        return task

    def _other(self, loop: asyncio.AbstractEventLoop, coro: Any, **kwargs: Any) -> AnyFuture:
        if self._previous is None:
            return asyncio.Task(coro, loop=loop, **kwargs)
        return self._previous(loop, coro, **kwargs)


def install(loop: asyncio.AbstractEventLoop) -> None:
    """Makes the loop register the tasks of runs; once is enough."""
    factory = loop.get_task_factory()
    if not isinstance(factory, Adopting):
        loop.set_task_factory(Adopting(factory))
