"""exists(), exists_one(), all(), filter() and map(): the elements of a list, or the keys of a map, one by one."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from stepwell.platform.expressions.errors import EvaluationError
from stepwell.platform.expressions.frame import Code, Frame
from stepwell.platform.expressions.kinds import is_list, is_map, shown
from stepwell.platform.expressions.logic import settle
from stepwell.platform.expressions.syntax import Loop


@dataclass(frozen=True, slots=True)
class Turns:
    """The turns of a loop over `target`, each of `cost` steps, with the element at `slot` of the frame.

    `test` gives a bool; `result` is only used by map().
    """

    loop: Loop
    target: Code
    slot: int
    cost: int
    test: Code
    result: Code

    def over(self, frame: Frame) -> Iterator[Any]:
        """Every element, once it is in its slot. Raises `EvaluationError` when there are none to go through."""
        for item in _elements(self.loop, self.target(frame)):
            frame.spend(self.cost)
            frame.local[self.slot] = item
            yield item


def _elements(loop: Loop, value: object) -> list[Any] | dict[str, Any]:
    if is_list(value) or is_map(value):
        return value
    hint = "; test with has(…) or != null that it is there" if value is None else ""
    raise EvaluationError(f"{loop}() needs a list or a map, not {shown(value)}{hint}")


def _settled(decisive: bool) -> Callable[[Turns, Frame], bool]:
    return lambda turns, frame: settle((turns.test for _ in turns.over(frame)), decisive, frame)


def _exists_one(turns: Turns, frame: Frame) -> bool:
    return sum(1 for _ in turns.over(frame) if turns.test(frame)) == 1


def _filter(turns: Turns, frame: Frame) -> list[Any]:
    return [item for item in turns.over(frame) if turns.test(frame)]


def _map(turns: Turns, frame: Frame) -> list[Any]:
    return [turns.result(frame) for _ in turns.over(frame) if turns.test(frame)]


LOOPS: Final[dict[Loop, Callable[[Turns, Frame], Any]]] = {
    "exists": _settled(decisive=True),
    "exists_one": _exists_one,
    "all": _settled(decisive=False),
    "filter": _filter,
    "map": _map,
}
