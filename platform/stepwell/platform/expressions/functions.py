"""The functions an expression can call."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from stepwell.platform.expressions.conversions import to_double, to_duration, to_int, to_string, to_timestamp
from stepwell.platform.expressions.errors import EvaluationError
from stepwell.platform.expressions.frame import Frame
from stepwell.platform.expressions.kinds import is_list, is_map, shown

LOWER: Final = {code: code + 32 for code in range(ord("A"), ord("Z") + 1)}


@dataclass(frozen=True, slots=True)
class Function:
    """What can be called, and how: as `plain(value)`, as `value.member()`, or as either.

    `arguments` counts what stands before the dot, and `usage` is how it is written.
    """

    usage: str
    form: Literal["plain", "member", "either"]
    arguments: int
    run: Callable[..., Any]

    def allows(self, member: bool, arguments: int) -> bool:
        """Whether it can be called like this."""
        return arguments == self.arguments and self.form in ("either", "member" if member else "plain")


def size(frame: Frame, value: object) -> int:
    """Characters of a string, elements of a list, entries of a map. Raises `EvaluationError` for anything else."""
    if type(value) is str or is_list(value) or is_map(value):
        return len(value)
    raise EvaluationError(f"size() needs a string, a list or a map, not {shown(value)}")


def starts_with(frame: Frame, text: Any, prefix: Any) -> bool:
    """Whether a string begins with another. Raises `EvaluationError` when one is no string."""
    return string("startsWith", text).startswith(_charged(frame, string("startsWith", prefix)))


def ends_with(frame: Frame, text: Any, suffix: Any) -> bool:
    """Whether a string ends with another. Raises `EvaluationError` when one is no string."""
    return string("endsWith", text).endswith(_charged(frame, string("endsWith", suffix)))


def contains(frame: Frame, text: Any, part: Any) -> bool:
    """Whether a string has another in it. Raises `EvaluationError` when one is no string."""
    return string("contains", part) in _charged(frame, string("contains", text))


def lower_ascii(frame: Frame, text: Any) -> str:
    """A string with A to Z in lower case, and all else as it is. Raises `EvaluationError` when it is no string."""
    checked = string("lowerAscii", text)
    # Dearer than a search, character by character.
    frame.spend_on_text(len(checked) * 8)
    return checked.lower() if checked.isascii() else checked.translate(LOWER)


def string(function: str, value: Any) -> str:
    """The value, when it is a string. Raises `EvaluationError` with the name of the function that needs one."""
    if type(value) is str:
        return value
    hint = "; test with has(…) or != null that it is there" if value is None else ""
    raise EvaluationError(f"{function}() needs a string, not {shown(value)}{hint}")


def _charged(frame: Frame, text: str) -> str:
    frame.spend_on_text(len(text))
    return text


FUNCTIONS: Final[Mapping[str, Function]] = {
    "contains": Function("text.contains(part)", "member", 2, contains),
    "double": Function("double(value)", "plain", 1, to_double),
    "duration": Function('duration("1h30m")', "plain", 1, to_duration),
    "endsWith": Function("text.endsWith(suffix)", "member", 2, ends_with),
    "int": Function("int(value)", "plain", 1, to_int),
    "lowerAscii": Function("text.lowerAscii()", "member", 1, lower_ascii),
    "size": Function("size(value) or value.size()", "either", 1, size),
    "startsWith": Function("text.startsWith(prefix)", "member", 2, starts_with),
    "string": Function("string(value)", "plain", 1, to_string),
    "timestamp": Function('timestamp("2026-01-31T08:00:00Z")', "plain", 1, to_timestamp),
}
