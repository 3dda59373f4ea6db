"""Random histories: a stateful test whose moves come as often as they say."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from tests.engine_gates import Workbench

F = TypeVar("F", bound=Callable[..., None])
PICK = st.integers(0, 1 << 16)


@dataclass
class Move:
    """What may happen next in a history, how often, and what it needs drawn."""

    name: str
    often: int
    draws: dict[str, st.SearchStrategy[Any]]


def move(often: int, **draws: st.SearchStrategy[Any]) -> Callable[[F], F]:
    """Makes a method a move of its machine, `often` times."""

    def add(method: F) -> F:
        vars(method)["move"] = Move(method.__name__, often, draws)
        return method

    return add


class Moves(RuleBasedStateMachine):
    """Makes one move after the other. Rules of their own would be left out of most examples by turns.

    Subclass with a `bench`.
    """

    bench: ClassVar[Workbench]
    moves: ClassVar[dict[str, Move]] = {}

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        own: list[Move | None] = [getattr(member, "move", None) for member in vars(cls).values()]
        cls.moves = cls.moves | {made.name: made for made in own if made}

    @rule(data=st.data())
    def go_on(self, data: st.DataObject) -> None:
        """Makes the next move."""
        names = [name for name, move in self.moves.items() for _ in range(move.often)]
        name = data.draw(st.sampled_from(names))
        getattr(self, name)(**{what: data.draw(drawn) for what, drawn in self.moves[name].draws.items()})
