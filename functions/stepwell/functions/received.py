"""An event as a handler receives it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class ReceivedEvent:
    """An event: one that started a run, or one it has waited for.

    Args:
        id: by which the platform knows it.
        name: what happened.
        data: the facts as parsed JSON.
        ts: when it happened, ms UTC.
    """

    id: str
    name: str
    data: Any
    ts: int

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> Self:
        """Reads an event record {id, name, data, ts}."""
        return cls(record["id"], record["name"], record.get("data", {}), record.get("ts", 0))
