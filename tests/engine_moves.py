"""Random histories: a stateful test whose moves come as often as they say."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from tests.engine_gates import Workbench

F = TypeVar("F", bound=Callable[..., None])
PICK = st.integers(0, 1 << 16)


@dataclass
class Move:
    """What may happen next in a history, with what it needs drawn, and how often."""

    name: str
    often: int = field(repr=False)
    draws: dict[str, st.SearchStrategy[Any]] = field(repr=False)


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
    moves: ClassVar[list[Move]] = []

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        own: list[Move | None] = [getattr(member, "move", None) for member in vars(cls).values()]
        cls.moves = [*cls.moves, *[made for made in own if made for _ in range(made.often)]]

    @rule(data=st.data())
    def go_on(self, data: st.DataObject) -> None:
        """Makes the next move."""
        chosen = data.draw(st.sampled_from(self.moves))
        getattr(self, chosen.name)(**{name: data.draw(drawn) for name, drawn in chosen.draws.items()})
