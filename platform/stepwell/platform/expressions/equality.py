"""When two values are equal: numbers by their value, all else by kind and value."""

from collections.abc import Iterable
from typing import Any

from stepwell.platform.expressions.errors import EvaluationError
from stepwell.platform.expressions.frame import Frame
from stepwell.platform.expressions.kinds import is_list, is_map, shown


def equal(left: object, right: object, frame: Frame) -> bool:
    """Whether two values are equal. Different kinds are not, but 1 and 1.0 are. Raises `OutOfBudget`."""
    kind = type(left)
    if kind is list or kind is dict:
        return _equal_throughout(left, right, frame)
    if kind is bool or type(right) is bool:
        # Python would say that True is 1.
        return left is right
    if type(left) is str:
        frame.spend_on_text(len(left))
    return left == right


def unequal(left: object, right: object, frame: Frame) -> bool:
    """Whether two values are not equal. Raises `OutOfBudget`."""
    return not equal(left, right, frame)


def contained(item: object, container: object, frame: Frame) -> bool:
    """Whether `item` is in a list, or is a key of a map; in null there is nothing.

    Raises:
        EvaluationError: the container is neither.
        OutOfBudget: the list is too long.
    """
    if is_list(container):
        return _in_list(item, container, frame)
    if is_map(container):
        return type(item) is str and item in container
    if container is None:
        return False
    hint = "; for a part of a string, write text.contains(part)" if type(container) is str else ""
    raise EvaluationError(f'"in" needs a list or a map on its right, not {shown(container)}{hint}')


def _in_list(item: object, items: list[Any], frame: Frame) -> bool:
    for each in items:
        frame.spend(1)
        if equal(each, item, frame):
            return True
    return False


def _equal_throughout(left: object, right: object, frame: Frame) -> bool:
    # Without recursion, for values may be deep; and not by Python's own ==, which cannot be stopped, takes True for 1
    # and any object, NaN too, for equal to itself.
    pending = [(left, right)]
    while pending:
        one, other = pending.pop()
        if is_list(one) and is_list(other):
            pairs = _elements(one, other, frame)
        elif is_map(one) and is_map(other):
            pairs = _values(one, other, frame)
        else:
            pairs = None if is_list(one) or is_map(one) or not equal(one, other, frame) else ()
        if pairs is None:
            return False
        pending.extend(pairs)
    return True


def _elements(one: list[Any], other: list[Any], frame: Frame) -> Iterable[tuple[Any, Any]] | None:
    """What has to be equal for two lists to be; `None` when they are not."""
    if len(one) != len(other):
        return None
    frame.spend(len(one) + 1)
    return zip(one, other, strict=True)


def _values(one: dict[str, Any], other: dict[str, Any], frame: Frame) -> Iterable[tuple[Any, Any]] | None:
    """What has to be equal for two maps to be; `None` when they are not."""
    if len(one) != len(other):
        return None
    frame.spend(len(one) + 1)
    frame.spend_on_text(sum(map(len, one)))
    return [(value, other[key]) for key, value in one.items()] if one.keys() == other.keys() else None
