"""What is said about a step that is called as no step can be."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from stepwell.functions.errors import InvalidStep

ABSENT: Final[Any] = object()
"""An argument that was not given."""
SHOWN: Final = "charge"
"""The function in an example for those who have named none."""


def bodiless(function: str, id: object, fn: object) -> InvalidStep:
    """Why `step.run(id, fn)` has no body to run; coroutines that were given for functions are closed.

    Args:
        function: whose step it is.
        id: as given, or `ABSENT`.
        fn: as given, or `ABSENT`: nothing that can be called.
    """
    called = _called(fn) or _called(id) or SHOWN
    named = isinstance(id, str)
    wrong = f"{_shown(fn)} instead of a function" if named else f"{_shown(id)} as its id"
    for one in (id, fn):
        if inspect.iscoroutine(one):
            one.close()
    return InvalidStep(
        f"{function}: {f'step {id!r}' if named else 'step.run'} was given {wrong}: "
        f'write step.run("{id if named else called}", {called}), and what {called} is called with after it'
    )


def uncallable(
    function: str, key: str, fn: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]
) -> InvalidStep | None:
    """Why a body that raised a TypeError cannot be called with these arguments; None when it can."""
    try:
        signature = inspect.signature(fn)
    except (TypeError, ValueError):  # builtins may have none
        return None
    try:
        signature.bind(*args, **kwargs)
    except TypeError as error:
        called = _called(fn) or "its body"
        return InvalidStep(
            f"{function}: step {key!r} cannot call {called}{signature}, {error}: "
            f'write step.run("{key}", {called}, …) with all that {called} takes'
        )
    return None


def _called(thing: object) -> str:
    """The name of a function, or of the one that a coroutine came from."""
    return str(getattr(thing, "__name__", "")) if callable(thing) or inspect.iscoroutine(thing) else ""


def _shown(thing: object) -> str:
    if thing is ABSENT:
        return "nothing"
    if inspect.iscoroutine(thing):
        return f"the coroutine {thing.__name__}()"
    return f"the function {_called(thing)}" if _called(thing) else f"{thing!r:.80} (a {type(thing).__name__})"
