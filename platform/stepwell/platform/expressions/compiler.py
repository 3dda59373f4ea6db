"""From tree to closures: what can be decided once is decided here, what is left is called for each evaluation."""

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias, cast

from stepwell.platform.expressions.errors import EvaluationError
from stepwell.platform.expressions.frame import Code, Frame
from stepwell.platform.expressions.functions import FUNCTIONS, string
from stepwell.platform.expressions.kinds import shown
from stepwell.platform.expressions.logic import opposite, settle, truth
from stepwell.platform.expressions.loops import LOOPS, Turns
from stepwell.platform.expressions.members import follow, member
from stepwell.platform.expressions.operators import COMPARISONS, FALLIBLE, negative
from stepwell.platform.expressions.syntax import (
    Binary,
    Call,
    Choice,
    Comprehension,
    Constant,
    Entries,
    Has,
    Items,
    Logic,
    Member,
    Node,
    Part,
    Search,
    Unary,
    path_of,
    size_of,
)

Slots: TypeAlias = Mapping[str, int]
"""The variables of the loops around a node, by their place in the frame."""


def compiled(node: Node, slots: Slots) -> Code:
    """The code of a tree inside the loops that bind `slots`."""
    path = path_of(node)
    if path is not None:
        return _path(path[0].name, path[1], slots)
    return COMPILERS[type(node)](node, slots)


def located(code: Code, position: int) -> Code:
    """The same code, whose errors tell where in the text it is."""

    def run(frame: Frame) -> Any:
        try:
            return code(frame)
        except EvaluationError as error:
            error.column = error.column or position + 1
            raise

    return run


def condition(node: Node, slots: Slots) -> Code:
    """Code that gives true or false, and raises `EvaluationError` for what counts as neither."""
    code = compiled(node, slots)
    if isinstance(node, Logic | Has | Search) or (isinstance(node, Binary) and node.sign in COMPARISONS):
        return code
    return located(lambda frame: truth(code(frame)), node.start)


def _constant(node: Constant, slots: Slots) -> Code:
    value = node.value
    return lambda frame: value


def _path(name: str, parts: tuple[Part, ...], slots: Slots) -> Code:
    if name in slots:
        slot = slots[name]
        return lambda frame: follow(frame.local[slot], parts)
    if all(type(part) is str for part in parts):
        return _fields(name, cast("tuple[str, ...]", parts))
    return lambda frame: follow(frame.values.get(name), parts)


def _fields(name: str, fields: tuple[str, ...]) -> Code:
    def run(frame: Frame) -> Any:
        value: Any = frame.values.get(name)
        # What most expressions spend most of their time with, so written out and not `follow`.
        for field in fields:
            if type(value) is not dict:
                return None
            value = cast("dict[str, Any]", value).get(field)
        return value

    return run


def _member(node: Member, slots: Slots) -> Code:
    target, key = compiled(node.target, slots), compiled(node.key, slots)
    return lambda frame: member(target(frame), key(frame), frame)


def _has(node: Has, slots: Slots) -> Code:
    target, field = compiled(node.target, slots), node.field

    def run(frame: Frame) -> bool:
        value = target(frame)
        return type(value) is dict and field in value

    return run


def _items(node: Items, slots: Slots) -> Code:
    codes = [compiled(item, slots) for item in node.items]
    return lambda frame: [code(frame) for code in codes]


def _entries(node: Entries, slots: Slots) -> Code:
    codes = [(compiled(key, slots), compiled(value, slots)) for key, value in node.entries]

    def run(frame: Frame) -> dict[str, Any]:
        made: dict[str, Any] = {}
        for key, value in codes:
            made[_new_key(key(frame), made)] = value(frame)
        return made

    return located(run, node.start)


def _new_key(key: Any, made: Mapping[str, Any]) -> str:
    if type(key) is not str:
        raise EvaluationError(f"the keys of a map are strings, not {shown(key)}; write string(…) around it")
    if key in made:
        raise EvaluationError(f"the key {shown(key)} is in this map twice")
    return key


def _unary(node: Unary, slots: Slots) -> Code:
    operand = compiled(node.operand, slots)
    operate = opposite if node.sign == "!" else negative
    return located(lambda frame: operate(operand(frame)), node.start)


def _binary(node: Binary, slots: Slots) -> Code:
    left, right = compiled(node.left, slots), compiled(node.right, slots)
    operate = COMPARISONS.get(node.sign) or FALLIBLE[node.sign]

    def run(frame: Frame) -> Any:
        return operate(left(frame), right(frame), frame)

    # Comparing can only run out of steps, and that has no place.
    return run if node.sign in COMPARISONS else located(run, node.at)


def _logic(node: Logic, slots: Slots) -> Code:
    terms = [condition(term, slots) for term in node.terms]
    decisive = node.sign == "||"
    return lambda frame: settle(terms, decisive, frame)


def _choice(node: Choice, slots: Slots) -> Code:
    test, yes, no = condition(node.test, slots), compiled(node.yes, slots), compiled(node.no, slots)
    return lambda frame: yes(frame) if test(frame) else no(frame)


def _call(node: Call, slots: Slots) -> Code:
    function = FUNCTIONS[node.name].run
    arguments = [compiled(argument, slots) for argument in node.arguments]
    if len(arguments) == 1:
        [only] = arguments
        return located(lambda frame: function(frame, only(frame)), node.at)
    return located(lambda frame: function(frame, *[argument(frame) for argument in arguments]), node.at)


def _search(node: Search, slots: Slots) -> Code:
    subject, automaton = compiled(node.subject, slots), node.automaton
    return located(lambda frame: automaton.found_in(string("matches", subject(frame)), frame), node.at)


def _comprehension(node: Comprehension, slots: Slots) -> Code:
    slot = max(slots.values(), default=-1) + 1
    inside = {**slots, node.variable: slot}
    turns = Turns(
        loop=node.loop,
        target=compiled(node.target, slots),
        slot=slot,
        cost=1 + sum(size_of(body) for body in (node.test, node.result) if body is not None),
        test=_always if node.test is None else condition(node.test, inside),
        result=_always if node.result is None else compiled(node.result, inside),
    )
    run = LOOPS[node.loop]
    return located(lambda frame: run(turns, frame), node.at)


def _always(frame: Frame) -> bool:
    return True


COMPILERS: Final[Mapping[type[Node], Callable[[Any, Slots], Code]]] = {
    Binary: _binary,
    Call: _call,
    Choice: _choice,
    Comprehension: _comprehension,
    Constant: _constant,
    Entries: _entries,
    Has: _has,
    Items: _items,
    Logic: _logic,
    Member: _member,
    Search: _search,
    Unary: _unary,
}
