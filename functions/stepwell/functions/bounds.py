"""The bounds of what a control may say, and what is said of a value beyond them."""

from __future__ import annotations

from typing import Final, TypeVar

from stepwell.functions.conditions import illegible
from stepwell.functions.durations import LONGEST, UNITS, Duration, milliseconds
from stepwell.functions.errors import InvalidControl, InvalidDuration

C = TypeVar("C")

WEEK: Final = 7 * UNITS["d"]
"""Ms of the longest period of a control that counts, spreads or gathers events."""
MOST_AT_ONCE: Final = 1_000_000_000
"""Of a limit that has no other bound: what is larger is no limit, and no number that is counted exactly."""


def length(what: str, given: Duration, most: int = LONGEST) -> int:
    """A duration in ms.

    Args:
        what: is as long, for errors.
        given: text, timedelta or seconds.
        most: ms of the longest that is allowed.

    Raises:
        InvalidControl: it cannot be read, is zero or too long.
    """
    try:
        found = milliseconds(given)
    except InvalidDuration as error:
        raise InvalidControl(f"{what}: {error}") from None
    if not found:
        raise InvalidControl(f"{what} is longer than nothing, not {given!r:.100}")
    if found > most:
        raise InvalidControl(f"{what} is at most {most // UNITS['d']} days, not {given!r:.100}")
    return found


def length_if_any(what: str, given: Duration | None) -> int | None:
    """A duration in ms, or None; see `length`."""
    return None if given is None else length(what, given)


def check_count(what: str, given: object, least: int = 1, most: int = MOST_AT_ONCE) -> None:
    """Refuses what is no int from `least` to `most`.

    Raises:
        InvalidControl: it is none.
    """
    if type(given) is int and least <= given <= most:
        return
    raise InvalidControl(f"{what} is an int from {least} to {most:,}, not {_shown(given)}")


def _shown(given: object) -> str:
    # Python writes no int of more than some thousand digits.
    return "one that is far larger" if type(given) is int and given.bit_length() > 256 else f"{given!r:.100}"


def check_word(what: str, given: object, known: tuple[str, ...]) -> None:
    """Refuses what is none of the words that are known.

    Raises:
        InvalidControl: it is none.
    """
    if given not in known:
        *others, last = (f'"{word}"' for word in known)
        raise InvalidControl(f"{what} is {', '.join(others)} or {last}, not {given!r:.100}")


def check_expression(control: str, name: str, given: object, example: str = "event.data.customer") -> None:
    """Refuses what can be no expression. Whether it can be understood is for the platform to say.

    Args:
        control: whose it is, for errors.
        name: of the argument.
        given: as it.
        example: of one, for errors.

    Raises:
        InvalidControl: it is no text, empty or too long.
    """
    wrong = illegible(name, given, example)
    if wrong:
        raise InvalidControl(f"{control}: {wrong}")


def check_key(control: str, given: object) -> None:
    """Refuses what is neither None nor can be the expression of a key; see `check_expression`."""
    if given is not None:
        check_expression(control, "key", given)


def only(kind: type[C], given: C | None, written: str) -> C | None:
    """What is given for a control that is written in one way alone.

    Args:
        kind: of the control.
        given: as the argument.
        written: argument and value, as in 'throttle=Throttle(10, "1m")'.

    Raises:
        InvalidControl: it is neither None nor of that kind.
    """
    if given is None or isinstance(given, kind):
        return given
    name, _, example = written.partition("=")
    raise InvalidControl(f"{name}= is {example}, not {given!r:.100}")
