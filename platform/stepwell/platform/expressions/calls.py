"""From a name and its arguments to a node: what can be called, and with what."""

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Final

from stepwell.platform.expressions.automaton import Automaton
from stepwell.platform.expressions.errors import Mistake
from stepwell.platform.expressions.functions import FUNCTIONS
from stepwell.platform.expressions.pattern import PatternError
from stepwell.platform.expressions.syntax import Call, Comprehension, Constant, Has, Loop, Member, Node, Search
from stepwell.platform.expressions.tokens import Token

LOOPS: Final[Mapping[str, Loop]] = {
    "exists": "exists",
    "exists_one": "exists_one",
    "all": "all",
    "filter": "filter",
    "map": "map",
}
EVERY: Final = ", ".join(sorted([*FUNCTIONS, *LOOPS, "has", "matches"]))


def call_of(name: Token, target: Node | None, arguments: tuple[Node, ...], start: int, end: int) -> Node:
    """The call of the function `name`, of `target` when it stands behind a dot.

    Raises:
        Mistake: there is no such function, or it is not called like this.
    """
    every = arguments if target is None else (target, *arguments)
    if name.text == "has" and target is None:
        return _has(name, arguments, start, end)
    if name.text == "matches":
        return _search(name, every, start, end)
    function = FUNCTIONS.get(name.text)
    if function is None:
        raise Mistake(_unknown(name.text), name.start)
    if not function.allows(target is not None, len(every)):
        raise Mistake(f"write {function.usage}", name.start)
    return Call(start, end, name.text, name.start, every)


def loop_of(name: Token, variable: Token, target: Node, bodies: tuple[Node, ...], end: int) -> Comprehension:
    """The loop `target.name(variable, bodies…)`. Raises `Mistake` when it has too few or too many bodies."""
    loop = LOOPS[name.text]
    if len(bodies) != 1 and not (loop == "map" and len(bodies) == 2):
        usage = f"list.{loop}(x, {'value of x' if loop == 'map' else 'test of x'})"
        raise Mistake(
            f"{loop}() takes a variable and {'an expression' if loop == 'map' else 'a test'}: {usage}", name.start
        )
    test = None if loop == "map" and len(bodies) == 1 else bodies[0]
    result = bodies[-1] if loop == "map" else None
    return Comprehension(target.start, end, loop, name.start, variable.text, target, test, result)


def _has(name: Token, arguments: tuple[Node, ...], start: int, end: int) -> Has:
    selected = arguments[0] if len(arguments) == 1 else None
    if not isinstance(selected, Member) or not selected.dotted or not isinstance(selected.key, Constant):
        raise Mistake('has() takes one field, as in has(event.data.id); for other keys, write "key" in map', name.start)
    return Has(start, end, selected.target, selected.key.value)


def _search(name: Token, arguments: tuple[Node, ...], start: int, end: int) -> Search:
    if len(arguments) != 2:
        raise Mistake("write text.matches(r'pattern')", name.start)
    subject, pattern = arguments
    if not isinstance(pattern, Constant) or type(pattern.value) is not str:
        raise Mistake("the pattern of matches() must be written out, as a string", pattern.start)
    try:
        return Search(start, end, name.start, subject, Automaton(pattern.value))
    except PatternError as error:
        raise Mistake(str(error), pattern.start) from None


def _unknown(name: str) -> str:
    close = get_close_matches(name, EVERY.split(", "), n=1)
    return f'there is no function "{name}"' + (f"; do you mean {close[0]}?" if close else f"; there are {EVERY}")
