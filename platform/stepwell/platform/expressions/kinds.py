"""The kinds of values, as they are called in messages."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final, TypeGuard

from stepwell.platform.codec import encode

SHOWN = 40
"""Characters of a string that a message shows."""

NAMES: Final[Mapping[type, str]] = {
    type(None): "null",
    bool: "a bool",
    int: "an int",
    float: "a double",
    str: "a string",
    list: "a list",
    dict: "a map",
    datetime: "a timestamp",
    timedelta: "a duration",
}


def is_list(value: object) -> TypeGuard[list[Any]]:
    """Whether a value is a list."""
    return type(value) is list


def is_map(value: object) -> TypeGuard[dict[str, Any]]:
    """Whether a value is a map."""
    return type(value) is dict


def kind_of(value: object) -> str:
    """The name of a value's kind, with its article."""
    return NAMES.get(type(value), "no value of JSON")


def shown(value: object) -> str:
    """A value for a message: as it is written when it is short, as its kind when it is not."""
    if type(value) is int or type(value) is float:
        return repr(value)
    if value is None or type(value) is bool:
        return encode(value).decode()
    if type(value) is str:
        return encode(value if len(value) <= SHOWN else f"{value[:SHOWN]}…").decode()
    return kind_of(value)
