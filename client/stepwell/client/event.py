"""An event as an application hands it over."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import orjson
from pydantic import BaseModel
from pydantic_core import to_jsonable_python

NAME_BYTES = 512


@dataclass(frozen=True, slots=True)
class Event:
    """A named fact.

    Args:
        name: what happened, such as "order.placed"; at most 512 bytes of UTF-8.
        data: the facts: a dict of JSON values (also datetime, Decimal, UUID, dataclasses, pydantic models) or one
            pydantic model.
        id: your own id for it, by which the server recognises it for 24 hours: sent again, it starts nothing twice.
            Without one, each `send` draws a fresh ULID.
        ts: when it happened, ms UTC; in the future, its runs start then. Default: when the server received it.

    Raises:
        TypeError, ValueError: an argument is not as above.
    """

    name: str
    data: Mapping[str, Any] | BaseModel = field(default_factory=dict[str, Any])
    id: str | None = field(default=None, kw_only=True)
    ts: int | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        _check_name(self.name)
        _check(self.name, "data is a dict or a pydantic model", _is_data(self.data), type(self.data))
        _check(self.name, "id is a non-empty str", self.id is None or _is_id(self.id), self.id)
        _check(self.name, "ts is an int, ms since 1970 UTC", self.ts is None or type(self.ts) is int, self.ts)

    def encode(self, id: str) -> bytes:
        """The event as one JSON object that carries `id`.

        Raises:
            ValueError: the data holds something that JSON cannot carry unchanged.
        """
        fields: dict[str, Any] = {"name": self.name, "data": self.data, "id": id}
        if self.ts is not None:
            fields["ts"] = self.ts
        try:
            body = orjson.dumps(fields, default=to_jsonable_python)
        except TypeError as error:
            raise ValueError(f"event {self.name!r} cannot be written as JSON: {error.__cause__ or error}") from error
        if b"null" in body:
            self._refuse_nan()
        return body

    def _refuse_nan(self) -> None:
        # orjson writes NaN and infinity as null, which would change the fact without a word.
        for path in _not_finite(to_jsonable_python(self.data), "data"):
            raise ValueError(f"event {self.name!r}: {path} is NaN or infinite, which JSON cannot carry")


def _check_name(name: object) -> None:
    if not isinstance(name, str):
        raise TypeError(f"an event's name is a str, not {name!r}")
    size = len(name.encode(errors="replace"))
    if not 1 <= size <= NAME_BYTES:
        raise ValueError(f"an event's name has 1 to {NAME_BYTES} bytes, not {size}")


def _check(name: str, rule: str, kept: bool, value: object) -> None:
    if not kept:
        raise TypeError(f"event {name!r}: {rule}, not {value!r}")


def _is_data(value: object) -> bool:
    return isinstance(value, (Mapping, BaseModel))


def _is_id(value: object) -> bool:
    return isinstance(value, str) and value != ""


def _not_finite(value: object, path: str) -> Iterator[str]:
    if isinstance(value, float) and not math.isfinite(value):
        yield path
    for key, item in _items(value):
        yield from _not_finite(item, f"{path}.{key}")


def _items(value: object) -> Iterable[tuple[object, object]]:
    if isinstance(value, dict):
        return cast("dict[object, object]", value).items()
    return enumerate(cast("list[object]", value) if isinstance(value, list) else [])
