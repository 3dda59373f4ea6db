"""Fields and elements: what is not there is null."""

from typing import Any

from stepwell.platform.expressions.frame import Frame
from stepwell.platform.expressions.kinds import is_list, is_map
from stepwell.platform.expressions.syntax import Part


def follow(value: Any, parts: tuple[Part, ...]) -> Any:
    """What lies at the end of a path of fields and indexes from 0; `None` when something on the way is not there."""
    for part in parts:
        value = _part_of(value, part)
    return value


def member(value: Any, key: Any, frame: Frame) -> Any:
    """`value[key]`; `None` when there is no such thing. Raises `OutOfBudget`."""
    if type(key) is str:
        frame.spend_on_text(len(key))
    return _part_of(value, key)


def _part_of(value: object, key: object) -> Any:
    if is_map(value):
        return value.get(key) if type(key) is str else None
    if is_list(value):
        return _element(value, key)
    return None


def _element(items: list[Any], key: object) -> Any:
    # As numbers are equal by their value, 1.0 is the same place as 1; and -1 is none, unlike in Python.
    index = int(key) if type(key) is float and key.is_integer() else key
    return items[index] if type(index) is int and 0 <= index < len(items) else None
