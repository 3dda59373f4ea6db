"""From step ids to step keys.

A key is taken when the step is called, not when it is awaited, so that `gather(*(step.run("pack", pack, one) for one
in order))` gives its keys in the order of the calls.
"""

from __future__ import annotations

import re
from typing import Final

from stepwell.functions.errors import DuplicateStep, InvalidId
from stepwell.functions.ids import STEP_ID_BYTES
from stepwell.functions.options import Place
from stepwell.functions.replay.branches import Branch, Branches, ordered

SURELY_SHORT: Final = STEP_ID_BYTES // 4
REPEAT: Final = re.compile(r".*:[0-9]+", re.DOTALL)


class Keys:
    """The step ids a run has used, each with where and how often."""

    __slots__ = ("_branches", "_uses")

    def __init__(self, branches: Branches) -> None:
        self._branches = branches
        self._uses: dict[str, tuple[int, Branch, int, Place]] = {}

    def take(self, id: str, place: Place) -> str:
        """The key of a step that is called at a place.

        Raises:
            InvalidId: the id is empty, too long, no text, or ends like a repeat.
            DuplicateStep: a branch that runs beside this one has used the id.
        """
        branches = self._branches
        branch = branches.current()
        use = self._uses.get(id)
        if use is None:
            if type(id) is not str or not 0 < len(id) <= SURELY_SHORT or ":" in id:
                _check(id)
            self._uses[id] = (1, branch, branches.count, place)
            return id
        times, before, at, first = use
        if not ordered(before, at, branch):
            raise DuplicateStep(id, _text(first), _text(place))
        self._uses[id] = (times + 1, branch, branches.count, place)
        return f"{id}:{times}"


def _check(id: str) -> None:
    if not isinstance(id, str) or not id:  # pyright: ignore[reportUnnecessaryIsInstance]
        raise InvalidId(f"a step id is text that is not empty, not {id!r}")
    if len(id.encode(errors="replace")) > STEP_ID_BYTES:
        raise InvalidId(
            f"a step id has at most {STEP_ID_BYTES} bytes; {id[:40]!r}… has {len(id.encode(errors='replace'))}"
        )
    if REPEAT.fullmatch(id):
        raise InvalidId(f"step id {id!r} ends like a repeat (':' and a number), which is kept for ids used again")


def _text(place: Place) -> str:
    code, instruction = place
    line = next(
        (line for start, end, line in code.co_lines() if start <= instruction < end and line), code.co_firstlineno
    )
    return f"{code.co_filename}:{line} in {code.co_qualname}"
