"""What the code of a run says besides its outcomes: lines, and how far it has come. Nothing is decided by it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

from stepwell.functions.errors import InvalidValue

LONGEST_TEXT: Final = 256


@dataclass(frozen=True, slots=True)
class Place:
    """Where something was said.

    Args:
        step: key of the step whose body said it; empty outside steps.
        attempt: of that step, or of the handler, from 1.
    """

    step: str
    attempt: int


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line.

    Args:
        place: where it was said.
        level: debug, info, warning, error, critical, another that logging has a name for; or print.
        message: may have line feeds.
        fields: what was given with it; of any type.
    """

    place: Place
    level: str
    message: str
    fields: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a step, or a run, has come.

    Args:
        place: where it was said.
        value: from 0 to 1.
        text: at most 256 characters.
    """

    place: Place
    value: float
    text: str


class Logbook(Protocol):
    """Takes what one execution says. Its methods neither wait nor raise, and may be called in any thread."""

    def write(self, line: LogLine) -> None:
        """Takes a line."""
        ...

    def advance(self, progress: Progress) -> None:
        """Takes a progress; the newest counts."""
        ...


Opening = Callable[[], Logbook]
"""Gives the logbook of an execution, the same at each call and in any thread: one that says nothing has none."""


def check_progress(value: object, text: object) -> None:
    """Refuses what cannot be a progress.

    Raises:
        InvalidValue: the value is no number from 0 to 1, or the text is none or too long.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not _is_share(value):
        raise InvalidValue(f"ctx.progress takes a number from 0 to 1, as in ctx.progress(0.4), not {value!r:.100}")
    if not isinstance(text, str):
        raise InvalidValue(f"the text of ctx.progress is a str, not {text!r:.100}")
    if len(text) > LONGEST_TEXT:
        raise InvalidValue(f"the text of ctx.progress has {len(text):,} characters, and may have {LONGEST_TEXT}")


def _is_share(value: float) -> bool:
    return math.isfinite(value) and 0 <= value <= 1
