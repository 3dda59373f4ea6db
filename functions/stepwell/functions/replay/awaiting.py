"""What a task waits for, read from its chain of awaits."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterable, Iterator
from types import FrameType, FunctionType
from typing import Any, Final, cast

from stepwell.functions.replay.ownership import AnyFuture, AnyTask

# Wrappers that hide what they await, but for the garbage collector.
OPAQUE: Final = frozenset({"coroutine_wrapper", "async_generator_asend", "async_generator_athrow"})
SYNCHRONIZATION: Final = frozenset({"asyncio.locks", "asyncio.queues", "anyio._core._synchronization"})
GROUPS: Final = frozenset({"asyncio.taskgroups", "anyio._backends._asyncio"})
ANYIO_LOCKS: Final = frozenset({"Lock.acquire", "Semaphore.acquire", "CapacityLimiter.acquire_on_behalf_of"})


class Presumed:
    """A lock, queue, event or the like: who will let the task go on, cannot be read; presumably another task of the
    run."""


class Unknown:
    """Input, output, a timer, or anything else that goes on by itself."""


PRESUMED: Final = Presumed()
UNKNOWN: Final = Unknown()


def chain(task: AnyTask) -> Iterator[Any]:
    """The coroutines and generators from a task's own down to the one that holds the future it waits for."""
    link: Any = task.get_coro()
    while link is not None:
        yield link
        link = _below(link)


def awaited(task: AnyTask, future: AnyFuture) -> Iterable[AnyFuture] | Presumed | Unknown:
    """What must happen before `task`, which waits for `future`, goes on."""
    direct = joined(future)
    if direct is not None:
        return direct
    frame = _leaf(task)
    return UNKNOWN if frame is None else _by_frame(frame)


def joined(future: AnyFuture) -> Iterable[AnyFuture] | None:
    """What a future itself depends on: a task, the parts of a gather, what is shielded; None when it does not say."""
    if isinstance(future, asyncio.Task):
        return (future,)
    children = getattr(future, "_children", None)
    return _shielded(future) if children is None else cast("list[AnyFuture]", children)


def _below(link: Any) -> Any:
    for name in ("cr_await", "gi_yieldfrom", "ag_await"):
        if hasattr(link, name):
            return getattr(link, name)
    if type(link).__name__ in OPAQUE:
        return next((one for one in gc.get_referents(link) if _is_link(one)), None)
    return None


def _is_link(thing: object) -> bool:
    return hasattr(thing, "cr_await") or hasattr(thing, "gi_yieldfrom") or hasattr(thing, "ag_await")


def _leaf(task: AnyTask) -> FrameType | None:
    frame: FrameType | None = None
    for link in chain(task):
        for name in ("cr_frame", "gi_frame", "ag_frame"):
            frame = getattr(link, name, None) or frame
    return frame


def _by_frame(frame: FrameType) -> Iterable[AnyFuture] | Presumed | Unknown:
    module, code = frame.f_globals.get("__name__"), frame.f_code
    if module in SYNCHRONIZATION or (module in GROUPS and code.co_qualname in ANYIO_LOCKS):
        return PRESUMED
    if module in GROUPS and code.co_name in ("_aexit", "__aexit__"):
        return cast("Iterable[AnyFuture]", tuple(getattr(frame.f_locals["self"], "_tasks", ())))
    if module == "asyncio.tasks" and code.co_name == "_wait" and frame.f_locals.get("timeout_handle") is None:
        return cast("Iterable[AnyFuture]", tuple(frame.f_locals["fs"]))
    return UNKNOWN


def _shielded(future: AnyFuture) -> Iterable[AnyFuture] | None:
    """The inner future of `asyncio.shield`, which only its callback knows."""
    for callback, _ in cast("list[tuple[Any, Any]]", getattr(future, "_callbacks", None) or ()):
        if isinstance(callback, FunctionType) and callback.__qualname__ == "shield.<locals>._outer_done_callback":
            cells = dict(zip(callback.__code__.co_freevars, callback.__closure__ or (), strict=True))
            return (cast("AnyFuture", cells["inner"].cell_contents),)
    return None
