"""From step ids to step keys.

A key is taken when the step is called, not when it is awaited, so that `gather(*(step.run("pack", pack, one) for one
in order))` gives its keys in the order of the calls.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from stepwell.functions.errors import DuplicateStep, InvalidId
from stepwell.functions.ids import STEP_ID_BYTES, bytes_of
from stepwell.functions.options import Place
from stepwell.functions.replay.branches import Branch, Branches, ordered

SURELY_SHORT: Final = STEP_ID_BYTES // 4
REPEAT: Final = re.compile(r".*:[0-9]+", re.DOTALL)


class Keys:
    """The step ids a run has used, each with where and how often."""

    __slots__ = ("_branches", "_repeats", "_uses")

    def __init__(self, branches: Branches) -> None:
        self._branches = branches
        self._repeats = 0
        self._uses: dict[str, tuple[int, Branch, int, Place]] = {}

    def take(self, id: str, place: Place) -> str:
        """The key of a step that is called at a place.

        Raises:
            InvalidId: the id is empty, too long, no text that can be written down, or ends like a repeat.
            DuplicateStep: a branch that runs beside this one has used the id.
        """
        branches = self._branches
        branch = branches.current()
        if type(id) is not str:
            _check(id)  # before it is looked up, which some values cannot be
        use = self._uses.get(id)
        if use is None:
            if not 0 < len(id) <= SURELY_SHORT or ":" in id or not id.isascii():
                _check(id)
            self._uses[id] = (1, branch, branches.count, place)
            return id
        times, before, at, first = use
        if not ordered(before, at, branch):
            raise DuplicateStep(id, _text(first), _text(place))
        self._repeats += 1
        self._uses[id] = (times + 1, branch, branches.count, place)
        return f"{id}:{times}"

    def unasked(self, asked: Sequence[str]) -> list[tuple[str, str]]:
        """The keys that were taken and are not among those asked for, each with where that was."""
        if len(self._uses) + self._repeats == len(asked):
            return []
        known = set(asked)
        taken = [
            (f"{id}:{time}" if time else id, place)
            for id, (times, _, _, place) in self._uses.items()
            for time in range(times)
        ]
        return [(key, _text(place)) for key, place in taken if key not in known]


def _check(id: str) -> None:
    if not isinstance(id, str) or not id:  # pyright: ignore[reportUnnecessaryIsInstance]
        raise InvalidId(f'a step id is text that is not empty, such as "charge", not {id!r}')
    size = bytes_of(id)
    if size is None:
        raise InvalidId(f"step id {id[:40]!r} is no text that can be written as UTF-8: it has half a character")
    if size > STEP_ID_BYTES:
        raise InvalidId(f"a step id has at most {STEP_ID_BYTES} bytes; {id[:40]!r}… has {size}")
    if REPEAT.fullmatch(id):
        raise InvalidId(f"step id {id!r} ends like a repeat (':' and a number), which is kept for ids used again")


def _text(place: Place) -> str:
    code, instruction = place
    line = next(
        (line for start, end, line in code.co_lines() if start <= instruction < end and line), code.co_firstlineno
    )
    return f"{code.co_filename}:{line} in {code.co_qualname}"
