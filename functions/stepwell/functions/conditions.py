"""Which of the events of a name are meant: those that agree with the run's own in one field, or for which an expression
is true."""

from __future__ import annotations

import re
from typing import Final

from stepwell.functions.errors import InvalidTrigger
from stepwell.functions.ids import bytes_of, check_event_name

FIELD: Final = re.compile(r"data(\.[A-Za-z_][A-Za-z0-9_]*)+")
CHARACTERS: Final = 4096
"""Of an expression."""


def condition(match: str | None, if_: str | None) -> str:
    """The expression over `event`, which started the run, and `async`, the one that comes; "" for any event."""
    return if_ or "" if match is None else f"event.{match} == async.{match}"


def mistake(event: object, match: object, if_: object) -> str:
    """What is wrong with an event's name and a condition on it; empty when nothing is."""
    return _misnamed(event) or _unmatched(match) or unreadable("if_", if_) or _both(match, if_)


def unreadable(name: str, text: object) -> str:
    """Why something given as `name` can be no expression; empty when it may be one, or is None."""
    return "" if text is None else illegible(name, text, "event.data.total > 100")


def illegible(name: str, text: object, example: str) -> str:
    """Why something given as `name` can be no expression; empty when it may be one."""
    if not isinstance(text, str) or not text.strip():
        return f"{name} is an expression as text, such as {example!r}, not {text!r:.100}"
    if bytes_of(text) is None:
        return f"{name} is no text that can be written as UTF-8: {text[:40]!r} has half a character"
    if len(text) > CHARACTERS:
        return f"{name} is an expression of at most {CHARACTERS:,} characters, and this one has {len(text):,}"
    return ""


def _misnamed(event: object) -> str:
    try:
        name = check_event_name(event)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    except InvalidTrigger as error:
        return str(error)
    return f"one name, such as 'order.approved', and not all like {name!r}, can be waited for" if "*" in name else ""


def _unmatched(match: object) -> str:
    if match is None or (isinstance(match, str) and len(match) < CHARACTERS // 4 and FIELD.fullmatch(match)):
        return ""
    return (
        f'match is a path both events have, such as "data.id", not {match!r:.100}; '
        "for anything else write if_= with an expression, such as 'event.data.id == async.data.order_id'"
    )


def _both(match: object, if_: object) -> str:
    if match is None or if_ is None:
        return ""
    return f"match= and if_= are two ways to say one thing: write if_='event.{match} == async.{match} && …' alone"
