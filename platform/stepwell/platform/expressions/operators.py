"""What the signs between two values do.

Comparing never raises: what cannot be compared is neither less nor greater. Arithmetic raises, for there is no number
that would be right.
"""

import operator
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final, TypeAlias, TypeVar

from stepwell.platform.expressions.equality import contained, equal, unequal
from stepwell.platform.expressions.errors import EvaluationError
from stepwell.platform.expressions.frame import Frame
from stepwell.platform.expressions.kinds import kind_of, shown
from stepwell.platform.expressions.literals import MAX_INT, MIN_INT

Operation: TypeAlias = Callable[[Any, Any, Frame], Any]
Rules: TypeAlias = Mapping[tuple[type, type], Operation]

N = TypeVar("N", int, float)

ORDERED: Final[Mapping[type, str]] = {
    int: "number",
    float: "number",
    str: "string",
    bool: "bool",
    datetime: "time",
    timedelta: "length",
}


def negative(value: object) -> int | float:
    """The number with the other sign. Raises `EvaluationError` for what is no number."""
    if type(value) is float:
        return -value
    if type(value) is int:
        return _in_range(-value)
    raise EvaluationError(f'"-" needs a number, not {shown(value)}')


def _ordering(test: Callable[[Any, Any], bool]) -> Operation:
    def compare(left: object, right: object, frame: Frame) -> bool:
        kind = ORDERED.get(type(left))
        if kind is None or kind != ORDERED.get(type(right)):
            return False
        if type(left) is str:
            frame.spend_on_text(len(left))
        return test(left, right)

    return compare


def _arithmetic(sign: str, rules: Rules) -> Operation:
    def calculate(left: object, right: object, frame: Frame) -> Any:
        rule = rules.get((type(left), type(right)))
        if rule is None:
            raise EvaluationError(_unsuited(sign, left, right))
        return rule(left, right, frame)

    return calculate


def _unsuited(sign: str, left: object, right: object) -> str:
    problem = f"{kind_of(left)} and {kind_of(right)} have no {sign!r} between them: {shown(left)} {sign} {shown(right)}"
    if left is None or right is None:
        return f"{problem}; test with has(…) or != null that it is there"
    return (
        f"{problem}; convert one with string(…), int(…) or double(…)" if str in (type(left), type(right)) else problem
    )


def _whole(calculate: Callable[[int, int], int]) -> Operation:
    return lambda left, right, frame: _in_range(calculate(left, right))


def _real(calculate: Callable[[float, float], float]) -> dict[tuple[type, type], Operation]:
    def rule(left: float, right: float, frame: Frame) -> float:
        return calculate(float(left), float(right))

    return {(float, float): rule, (int, float): rule, (float, int): rule}


def _in_range(value: int) -> int:
    if MIN_INT <= value <= MAX_INT:
        return value
    raise EvaluationError("the result does not fit into 64 bits; calculate with double(…)")


def _quotient(left: int, right: int) -> int:
    size = abs(left) // abs(_divisor(right))
    return size if (left < 0) == (right < 0) else -size


def _remainder(left: int, right: int) -> int:
    size = abs(left) % abs(_divisor(right))
    return -size if left < 0 else size


def _divisor(value: N) -> N:
    if value == 0:
        raise EvaluationError("division by zero; test the divisor first, as in `b != 0 && a / b > 1`")
    return value


def _moments(calculate: Callable[[Any, Any], Any]) -> Operation:
    def rule(left: Any, right: Any, frame: Frame) -> Any:
        try:
            return calculate(left, right)
        except OverflowError:
            raise EvaluationError("the result is outside the years 1 to 9999") from None

    return rule


def _join_strings(left: str, right: str, frame: Frame) -> str:
    frame.spend_on_text(len(left) + len(right))
    return left + right


def _join_lists(left: list[Any], right: list[Any], frame: Frame) -> list[Any]:
    frame.spend(len(left) + len(right))
    return left + right


ADD: Final[Rules] = {
    (int, int): _whole(operator.add),
    **_real(operator.add),
    (str, str): _join_strings,
    (list, list): _join_lists,
    (datetime, timedelta): _moments(operator.add),
    (timedelta, datetime): _moments(operator.add),
    (timedelta, timedelta): _moments(operator.add),
}
SUBTRACT: Final[Rules] = {
    (int, int): _whole(operator.sub),
    **_real(operator.sub),
    (datetime, timedelta): _moments(operator.sub),
    (datetime, datetime): _moments(operator.sub),
    (timedelta, timedelta): _moments(operator.sub),
}
MULTIPLY: Final[Rules] = {(int, int): _whole(operator.mul), **_real(operator.mul)}
DIVIDE: Final[Rules] = {
    (int, int): _whole(_quotient),
    **_real(lambda left, right: left / _divisor(right)),
}
MODULO: Final[Rules] = {(int, int): _whole(_remainder)}

COMPARISONS: Final[Mapping[str, Operation]] = {
    "==": equal,
    "!=": unequal,
    "<": _ordering(operator.lt),
    "<=": _ordering(operator.le),
    ">": _ordering(operator.gt),
    ">=": _ordering(operator.ge),
}
FALLIBLE: Final[Mapping[str, Operation]] = {
    "in": contained,
    "+": _arithmetic("+", ADD),
    "-": _arithmetic("-", SUBTRACT),
    "*": _arithmetic("*", MULTIPLY),
    "/": _arithmetic("/", DIVIDE),
    "%": _arithmetic("%", MODULO),
}
"""The operators that raise `EvaluationError` for values that do not suit them."""
