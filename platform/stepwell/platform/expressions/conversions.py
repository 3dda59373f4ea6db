"""From one kind of value to another: string(), int(), double(), timestamp() and duration()."""

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from stepwell.platform.expressions.errors import EvaluationError
from stepwell.platform.expressions.frame import Frame
from stepwell.platform.expressions.kinds import shown
from stepwell.platform.expressions.literals import MAX_INT, MIN_INT

LONGEST = 100
"""Characters of a number, a moment or a duration; a longer text is none."""
EXACT = 2**53
"""Below it every whole double is written as one."""

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
SECOND: Final = timedelta(seconds=1)
INT: Final = re.compile(r"[-+]?[0-9]+")
DOUBLE: Final = re.compile(r"[-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")
MOMENT: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?(?:[Zz]|[-+][0-9]{2}:[0-9]{2})"
)
PIECE: Final = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(ns|us|µs|ms|s|m|h|d|w)")
DURATION: Final = re.compile(rf"([-+]?)((?:{PIECE.pattern})+|0)")
MICROSECONDS: Final = {
    "ns": Decimal("0.001"),
    "us": Decimal(1),
    "µs": Decimal(1),
    "ms": Decimal(1_000),
    "s": Decimal(1_000_000),
    "m": Decimal(60_000_000),
    "h": Decimal(3_600_000_000),
    "d": Decimal(86_400_000_000),
    "w": Decimal(604_800_000_000),
}


def to_string(frame: Frame, value: Any) -> str:
    """A scalar as text. Raises `EvaluationError` for null, lists and maps."""
    if type(value) is str:
        return value
    if type(value) is bool:
        return "true" if value else "false"
    if type(value) is int or type(value) is float:
        return _written(value)
    if type(value) is datetime:
        return f"{value.strftime('%Y-%m-%dT%H:%M:%S').zfill(19)}{_fraction(value.microsecond)}Z"
    if type(value) is timedelta:
        return _seconds(value)
    raise _unsuited("string", value, "a number, a bool, a timestamp or a duration")


def to_int(frame: Frame, value: Any) -> int:
    """A whole number: a double without its fraction, a timestamp in seconds since 1970. Raises `EvaluationError`."""
    if type(value) is int:
        return value
    if type(value) is float and MIN_INT <= value < MAX_INT:
        return int(value)
    if type(value) is str and len(value) <= LONGEST and INT.fullmatch(value) and MIN_INT <= int(value) <= MAX_INT:
        return int(value)
    if type(value) is datetime:
        return (value - EPOCH) // SECOND
    raise _unsuited("int", value, "a number or a string of digits, of at most 64 bits, or a timestamp")


def to_double(frame: Frame, value: Any) -> float:
    """A number with a fraction. Raises `EvaluationError`."""
    if type(value) is float or type(value) is int:
        return float(value)
    if type(value) is str and len(value) <= LONGEST and DOUBLE.fullmatch(value):
        return float(value)
    raise _unsuited("double", value, 'a number, or a string such as "1.5"')


def to_timestamp(frame: Frame, value: Any) -> datetime:
    """A moment, from RFC 3339 text or seconds since 1970; what is finer than a µs is cut off.

    Raises:
        EvaluationError: it is neither, or outside the years 1 to 9999.
    """
    if type(value) is datetime:
        return value
    try:
        if type(value) is int:
            return EPOCH + timedelta(seconds=value)
        if type(value) is str and len(value) <= LONGEST and MOMENT.fullmatch(value):
            return datetime.fromisoformat(value.upper()).astimezone(UTC)
    except OverflowError:
        raise EvaluationError(f"timestamp({shown(value)}) is outside the years 1 to 9999{_unit(value)}") from None
    except ValueError:
        pass
    raise _unsuited("timestamp", value, 'a string such as "2026-01-31T08:00:00Z", or a whole number of seconds')


def to_duration(frame: Frame, value: Any) -> timedelta:
    """A length of time, from text such as "1h30m"; what is finer than a µs is cut off. Raises `EvaluationError`."""
    if type(value) is timedelta:
        return value
    found = DURATION.fullmatch(value) if type(value) is str and len(value) <= LONGEST else None
    if found is None:
        raise _unsuited("duration", value, 'a string such as "300ms", "5m" or "1h30m" (ns, us, ms, s, m, h, d, w)')
    length = sum(Decimal(count) * MICROSECONDS[unit] for count, unit in PIECE.findall(found[2]))
    try:
        return timedelta(microseconds=-int(length) if found[1] == "-" else int(length))
    except OverflowError:
        raise EvaluationError(f"duration({shown(value)}) is too long") from None


def _written(value: int | float) -> str:
    if type(value) is float and value.is_integer() and abs(value) < EXACT:
        return f"{value:.0f}"
    return str(value)


def _seconds(value: timedelta) -> str:
    seconds, rest = divmod(abs(value), SECOND)
    return f"{'-' if value < timedelta() else ''}{seconds}{_fraction(rest.microseconds)}s"


def _fraction(microseconds: int) -> str:
    """Nothing, or three or six digits, as protocol buffers write moments in JSON."""
    if not microseconds:
        return ""
    return f".{microseconds:06}" if microseconds % 1_000 else f".{microseconds // 1_000:03}"


def _unit(value: Any) -> str:
    return "; is it in ms? write timestamp(event.ts / 1000)" if type(value) is int and value > 0 else ""


def _unsuited(function: str, value: Any, needs: str) -> EvaluationError:
    return EvaluationError(f"{function}() needs {needs}, not {shown(value)}")
