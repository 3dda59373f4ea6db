"""Whether a timer will cancel a task while it waits: `asyncio.timeout`, `anyio.move_on_after` and their like.

The object of a `with` block without `as` is on no variable, only on the stack of its frame; the garbage collector sees
it there.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from types import MethodType
from typing import Any, Final

from stepwell.functions.replay.awaiting import chain
from stepwell.functions.replay.ownership import AnyTask

DEPTH: Final = 8
TIMERS: Final = frozenset({"asyncio.timeouts", "anyio._backends._asyncio", "async_timeout"})
OURS: Final = __name__.rpartition(".")[0] + "."


def timed(task: AnyTask) -> bool:
    """Whether a timer is under way in any frame of the task."""
    return any(_holds_timer(link, DEPTH) for link in chain(task) if not _is_ours(link))


def _is_ours(link: Any) -> bool:
    frame = getattr(link, "cr_frame", None)
    return frame is not None and frame.f_globals.get("__name__", "").startswith(OURS)


def _holds_timer(link: object, depth: int) -> bool:
    for found in gc.get_referents(link):
        # On the stack is the method that will leave the block.
        thing = found.__self__ if type(found) is MethodType else found
        module = type(thing).__module__
        if module in TIMERS and _is_under_way(thing):
            return True
        if module == "contextlib" and depth and any(_holds_timer(inner, depth - 1) for inner in _inside(thing)):
            return True
    return False


def _is_under_way(thing: Any) -> bool:
    return getattr(thing, "_timeout_handler", None) is not None or getattr(thing, "_timeout_handle", None) is not None


def _inside(manager: Any) -> Iterator[object]:
    """Frames and methods behind a context manager that is made of others."""
    generator = getattr(manager, "gen", None)
    if generator is not None:
        yield generator
    for _, callback in getattr(manager, "_exit_callbacks", ()):
        yield callback
