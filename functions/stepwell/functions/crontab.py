"""The five fields of a cron expression: what is allowed in each, so that a slip is met where it is written.

    minute  hour  day-of-month  month  day-of-week
    0-59    0-23  1-31          1-12   0-7 (0 and 7: Sunday)

A field is a list, with commas, of values, ranges `a-b` and steps `*/n` or `a-b/n`; months and days of the week have
names of three letters. Days of the month know `L`, the last one; days of the week `5#2`, the second Friday, and `L5`,
the last one. `?` in a field of days is `*`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from stepwell.functions.errors import InvalidTrigger

NICKNAMES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "@hourly": "0 * * * *",
        "@daily": "0 0 * * *",
        "@midnight": "0 0 * * *",
        "@weekly": "0 0 * * 0",
        "@monthly": "0 0 1 * *",
        "@yearly": "0 0 1 1 *",
        "@annually": "0 0 1 1 *",
    }
)
MOST: Final = 256
"""Characters of an expression."""
PART: Final = re.compile(r"(?P<first>\*|\w+)(?:-(?P<last>\w+))?(?:/(?P<step>[0-9]{1,2}))?", re.ASCII)


def _named(names: str, first: int) -> Mapping[str, int]:
    return MappingProxyType({name: first + index for index, name in enumerate(names.split())})


@dataclass(frozen=True, slots=True)
class Field:
    """One field: its name, its least and greatest value, names of values, and what else may stand in it."""

    name: str
    least: int
    greatest: int
    names: Mapping[str, int] = field(default_factory=dict[str, int])
    special: str = ""

    def check(self, text: str) -> None:
        """Raises `ValueError` with what is wrong."""
        for part in text.split(","):
            if not (self.special and re.fullmatch(self.special, part)):
                self._check_part(part)

    def _check_part(self, part: str) -> None:
        found = PART.fullmatch(part)
        if not found or (found["first"] == "*" and found["last"]):
            raise ValueError(f"{part!r} is not understood")
        if found["step"] is not None and not 1 <= int(found["step"]) <= self.greatest:
            raise ValueError(f"the step of {part!r} is not between 1 and {self.greatest}")
        for value in (found["first"], found["last"]):
            if value not in (None, "*"):
                self._check_value(value)
        if found["first"] == found["last"]:
            raise ValueError(f"{part!r} begins where it ends; write {found['first']!r}")

    def _check_value(self, value: str) -> None:
        number = self.names.get(value, int(value) if value.isdigit() else -1)
        if not self.least <= number <= self.greatest:
            words = f" or a name such as {next(iter(self.names))}" if self.names else ""
            raise ValueError(f"{value!r} is not between {self.least} and {self.greatest}{words}")


MONTHS: Final = _named("jan feb mar apr may jun jul aug sep oct nov dec", 1)
DAYS: Final = _named("sun mon tue wed thu fri sat", 0)
NTH: Final = rf"l[0-7]|([0-7]|{'|'.join(DAYS)})#[1-5]"
FIELDS: Final = (
    Field("minute", 0, 59),
    Field("hour", 0, 23),
    Field("day of the month", 1, 31, special=r"\?|l"),
    Field("month", 1, 12, MONTHS),
    Field("day of the week", 0, 7, DAYS, special=rf"\?|{NTH}"),
)


def check_expression(text: str) -> str:
    """The expression, as it is.

    Raises:
        InvalidTrigger: it is no cron expression of five fields, nor a nickname such as `@daily`.
    """
    if not isinstance(text, str):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise InvalidTrigger(f'a cron expression is text, such as "0 9 * * *", not {text!r}')
    given = text.lower().split()
    if len(text) > MOST or (text.lower() not in NICKNAMES and len(given) != len(FIELDS)):
        raise InvalidTrigger(
            f"cron {text[:MOST]!r}: write five fields, minute, hour, day of the month, month and day of the week, as "
            f'in "0 9 * * mon-fri", or one of {", ".join(NICKNAMES)}'
        )
    for one, known in zip(given, FIELDS, strict=False) if len(given) == len(FIELDS) else ():
        try:
            known.check(one)
        except ValueError as error:
            raise InvalidTrigger(f"cron {text!r}: {known.name}: {error}") from None
    if len(given) == len(FIELDS):
        _check_days(text, given[2], given[4])
    return text


def _check_days(text: str, month: str, week: str) -> None:
    """Crons do not agree on what these mean together, so nobody is left to guess."""
    nth = [re.fullmatch(NTH, part) is not None for part in week.split(",")]
    if any(nth) and not all(nth):
        raise InvalidTrigger(f"cron {text!r}: {week!r} has days of every week and of some: give the function two crons")
    if any(nth) and month not in ("*", "?"):
        raise InvalidTrigger(
            f"cron {text!r}: {month!r} and {week!r} are days of two kinds: give the function two crons"
        )


def fields_of(expression: str) -> tuple[str, ...]:
    """The five fields, in lower case, of an expression that was checked."""
    text = expression.lower()
    return tuple(NICKNAMES.get(text, text).split())
