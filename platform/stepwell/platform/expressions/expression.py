"""An expression: text that was understood once, and is evaluated often."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from stepwell.platform.expressions.compiler import compiled
from stepwell.platform.expressions.conjuncts import conjuncts_of
from stepwell.platform.expressions.errors import EvaluationError, ExpressionError, Mistake
from stepwell.platform.expressions.frame import Code, Frame
from stepwell.platform.expressions.parser import parse
from stepwell.platform.expressions.syntax import (
    Binary,
    Comprehension,
    Entries,
    Items,
    Logic,
    Node,
    Part,
    levels_of,
    names_in,
)


@dataclass(frozen=True, slots=True)
class Expression:
    """An expression; two are equal when their texts are. `names_used`: the variables it needs to be given."""

    text: str
    names_used: frozenset[str] = field(compare=False)
    _tree: Node = field(compare=False, repr=False)
    _code: Code = field(compare=False, repr=False)
    _makes: bool = field(compare=False, repr=False)

    @classmethod
    def of(cls, text: str, tree: Node) -> Self:
        """The expression of a tree whose places are of another, longer text, or of `text`."""
        return cls(text, names_in(tree), tree, compiled(tree, {}), _makes_values(tree))

    def evaluate(self, values: Mapping[str, Any]) -> Any:
        """Its value, with `values` of its variables as JSON is parsed; those not given are null.

        Raises:
            EvaluationError: a value did not suit what is done with it.
            OutOfBudget: it took too many steps.
        """
        frame = Frame(values)
        value = self._code(frame)
        if self._makes:
            # A made value can hold the same part very often, and would be huge once it is written out.
            frame.spend_on_all(value)
        return value

    def matches(self, values: Mapping[str, Any]) -> bool:
        """Whether it is true, and nothing else; it is not when it cannot be evaluated, and `evaluate` tells why."""
        try:
            return self.evaluate(values) is True
        except EvaluationError:
            return False

    def split(self, on: str) -> "Conjuncts":
        """Takes the terms of `&&` apart, into those an index over the variable `on` can answer, and the rest.

        It matches exactly when every key does and the rest does; only that each part has the whole budget of steps.
        """
        parts = conjuncts_of(self._tree, on)
        keys = tuple(Key(part.path, self._part(part.value)) for part in parts if part.path)
        rest = [part.value for part in parts if not part.path]
        return Conjuncts(keys, self._all_of(rest) if rest else None)

    def _part(self, node: Node) -> "Expression":
        return Expression.of(self.text[node.start : node.end], node)

    def _all_of(self, nodes: list[Node]) -> "Expression":
        if len(nodes) == 1:
            return self._part(nodes[0])
        # Without spaces, for it must not become longer than an expression may be.
        text = "&&".join(self.text[node.start : node.end] for node in nodes)
        return Expression.of(text, Logic(nodes[0].start, nodes[-1].end, "&&", tuple(nodes)))


@dataclass(frozen=True, slots=True)
class Key:
    """A term `on.path == value`. The value uses other variables than `on`, if any.

    When `index_value` of the value is `None`, an index cannot answer it: evaluate the whole expression instead.
    """

    path: tuple[Part, ...]
    value: Expression


@dataclass(frozen=True, slots=True)
class Conjuncts:
    """The terms of an expression: those that are keys of an index, and the others as one expression, if any."""

    keys: tuple[Key, ...]
    rest: Expression | None


def compile_expression(text: str, names: Iterable[str]) -> Expression:
    """Understands an expression over the variables `names`.

    Raises:
        ExpressionError: it is none, uses another variable or function, is longer than 4,096 characters, or is nested
            more than 64 levels deep.
    """
    try:
        return Expression.of(text, parse(text, names))
    except Mistake as mistake:
        raise ExpressionError(mistake.message, mistake.position + 1, text) from None


def _makes_values(tree: Node) -> bool:
    return any(
        isinstance(node, Items | Entries | Comprehension) or (isinstance(node, Binary) and node.sign == "+")
        for node, _ in levels_of(tree)
    )
