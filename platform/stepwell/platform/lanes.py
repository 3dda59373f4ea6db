"""Which lane a run waits in, and so which partition is its home."""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from stepwell.platform.codec import encode
from stepwell.platform.ids import digest_of

MAX_VALUE = 128
"""Characters of a constraint key's value in a lane's name; a longer one is cut and completed with its digest."""


def lane_of(function: str, paths: Sequence[str | None], event: Mapping[str, Any]) -> str:
    """The lane of a run of `function`, as `app/function`, started by `event`.

    `paths` are the key paths of its constraints, `None` where a constraint counts all runs of the function alike.
    """
    if not paths:
        return function
    return "|".join([function, *("" if path is None else value_at(path, event) for path in paths)])


def value_at(path: str, event: Mapping[str, Any]) -> str:
    """The value at a dotted path such as `event.data.customer`, as a word; a missing one is `null`."""
    value: Any = event
    for part in path.split(".")[1:]:
        value = value.get(part) if isinstance(value, Mapping) else None  # pyright: ignore[reportUnknownMemberType,reportUnknownVariableType]
    word = quote(_text(value), safe="")
    return word if len(word) <= MAX_VALUE else f"{word[:MAX_VALUE]}~{digest_of(word)}"


def _text(value: Any) -> str:
    return value if isinstance(value, str) else encode(value).decode()
