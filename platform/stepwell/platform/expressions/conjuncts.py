"""The terms of an expression, and which of them say that a field of a variable equals something known without it."""

from dataclasses import dataclass

from stepwell.platform.expressions.syntax import Binary, Logic, Node, Part, names_in, path_of


@dataclass(frozen=True, slots=True)
class Conjunct:
    """A term `on.path == value`; with an empty path, `value` is the whole of any other term."""

    path: tuple[Part, ...]
    value: Node


def conjuncts_of(tree: Node, on: str) -> list[Conjunct]:
    """The terms that are all true when the tree is, and only then."""
    terms = tree.terms if isinstance(tree, Logic) and tree.sign == "&&" else (tree,)
    return [_conjunct(term, on) for term in terms]


def _conjunct(term: Node, on: str) -> Conjunct:
    if isinstance(term, Binary) and term.sign == "==":
        for one, other in ((term.left, term.right), (term.right, term.left)):
            path = path_of(one)
            if path is not None and path[0].name == on and path[1] and on not in names_in(other):
                return Conjunct(path[1], other)
    return Conjunct((), term)
