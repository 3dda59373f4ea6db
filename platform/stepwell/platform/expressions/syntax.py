"""What an expression is made of, as a tree."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from stepwell.platform.expressions.automaton import Automaton

Part: TypeAlias = str | int
Loop = Literal["exists", "exists_one", "all", "filter", "map"]


@dataclass(frozen=True, slots=True)
class Node:
    """A part of an expression. `start` and `end` are its place in the text, from 0, with its own parentheses."""

    start: int
    end: int

    @property
    def parts(self) -> "tuple[Node, ...]":
        """The nodes right below this one."""
        return ()


@dataclass(frozen=True, slots=True)
class Constant(Node):
    """A value that is written down: null, a bool, a number or a string."""

    value: Any


@dataclass(frozen=True, slots=True)
class Name(Node):
    """A variable, given by the caller or bound by a loop around it."""

    name: str


@dataclass(frozen=True, slots=True)
class Member(Node):
    """`target.field` or `target[key]`."""

    target: Node
    key: Node
    dotted: bool

    @property
    def parts(self) -> tuple[Node, ...]:
        return (self.target, self.key)


@dataclass(frozen=True, slots=True)
class Has(Node):
    """`has(target.field)`."""

    target: Node
    field: str

    @property
    def parts(self) -> tuple[Node, ...]:
        return (self.target,)


@dataclass(frozen=True, slots=True)
class Items(Node):
    """`[item, …]`."""

    items: tuple[Node, ...]

    @property
    def parts(self) -> tuple[Node, ...]:
        return self.items


@dataclass(frozen=True, slots=True)
class Entries(Node):
    """`{key: value, …}`."""

    entries: tuple[tuple[Node, Node], ...]

    @property
    def parts(self) -> tuple[Node, ...]:
        return tuple(part for entry in self.entries for part in entry)


@dataclass(frozen=True, slots=True)
class Unary(Node):
    """`!operand` or `-operand`."""

    sign: str
    operand: Node

    @property
    def parts(self) -> tuple[Node, ...]:
        return (self.operand,)


@dataclass(frozen=True, slots=True)
class Binary(Node):
    """A comparison, `in`, or arithmetic. `at` is the place of its sign."""

    sign: str
    at: int
    left: Node
    right: Node

    @property
    def parts(self) -> tuple[Node, ...]:
        return (self.left, self.right)


@dataclass(frozen=True, slots=True)
class Logic(Node):
    """All terms of a chain of `&&` or of `||`: one node, however long the chain."""

    sign: str
    terms: tuple[Node, ...]

    @property
    def parts(self) -> tuple[Node, ...]:
        return self.terms


@dataclass(frozen=True, slots=True)
class Choice(Node):
    """`test ? yes : no`."""

    test: Node
    yes: Node
    no: Node

    @property
    def parts(self) -> tuple[Node, ...]:
        return (self.test, self.yes, self.no)


@dataclass(frozen=True, slots=True)
class Call(Node):
    """A function, with what stands before its dot as first argument. `at` is the place of its name."""

    name: str
    at: int
    arguments: tuple[Node, ...]

    @property
    def parts(self) -> tuple[Node, ...]:
        return self.arguments


@dataclass(frozen=True, slots=True)
class Search(Node):
    """`subject.matches(pattern)`. `at` is the place of its name."""

    at: int
    subject: Node
    automaton: Automaton

    @property
    def parts(self) -> tuple[Node, ...]:
        return (self.subject,)


@dataclass(frozen=True, slots=True)
class Comprehension(Node):
    """`target.exists(variable, test)` and its like; `map` has a `result`, and a test only when one is given."""

    loop: Loop
    at: int
    variable: str
    target: Node
    test: Node | None
    result: Node | None

    @property
    def parts(self) -> tuple[Node, ...]:
        return tuple(node for node in (self.target, self.test, self.result) if node is not None)


def levels_of(root: Node) -> Iterator[tuple[Node, int]]:
    """Every node with its level, from 1, without recursion: a chain of `+` is as deep as it is long."""
    pending = [(root, 1)]
    while pending:
        node, level = pending.pop()
        yield node, level
        pending.extend((part, level + 1) for part in node.parts)


def size_of(root: Node) -> int:
    """How many nodes a tree has."""
    return sum(1 for _ in levels_of(root))


def names_in(node: Node) -> frozenset[str]:
    """The variables of the caller that a tree uses: those that no loop inside it binds."""
    if isinstance(node, Name):
        return frozenset((node.name,))
    if not isinstance(node, Comprehension):
        return frozenset[str]().union(*map(names_in, node.parts))
    inside = frozenset[str]().union(*map(names_in, node.parts[1:]))
    return names_in(node.target) | (inside - {node.variable})


def path_of(node: Node) -> tuple[Name, tuple[Part, ...]] | None:
    """A variable and the constant keys that follow it, as in `event.data.items[0]["id"]`; `None` for anything else."""
    parts: list[Part] = []
    while isinstance(node, Member):
        key = node.key.value if isinstance(node.key, Constant) else None
        if not (type(key) is str or (type(key) is int and key >= 0)):
            return None
        parts.append(key)
        node = node.target
    return (node, tuple(reversed(parts))) if isinstance(node, Name) else None
