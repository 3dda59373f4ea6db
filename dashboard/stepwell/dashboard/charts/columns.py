"""Columns over time, drawn on the server: everything in percent of the width and height of an SVG."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType

from stepwell.dashboard.wording.durations import DAY

GAP = 0.2
"""Of a column's width, what is between it and the next."""
LEAST = 2.0
"""Height of a part that is too low to be seen otherwise."""
MARKS = 4
OWN: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a column. `look` is the name of a tone."""

    look: str
    y: float
    height: float


@dataclass(frozen=True, slots=True)
class Column:
    """What happened in one stretch of time, and what is said of it."""

    x: float
    width: float
    parts: tuple[Part, ...]
    says: str


@dataclass(frozen=True, slots=True)
class Label:
    """A time under the columns, ms UTC, and as it is said without a script."""

    x: float
    iso: str
    text: str


@dataclass(frozen=True, slots=True)
class Columns:
    """A chart. `top` is what a column of full height stands for; `empty` when nothing has happened."""

    columns: tuple[Column, ...]
    labels: tuple[Label, ...]
    top: int
    empty: bool


def columns(
    times: Sequence[int], counts: Sequence[Sequence[tuple[str, int]]], end: int, words: Mapping[str, str] = OWN
) -> Columns:
    """A chart of stacked counts.

    Args:
        times: when each column begins, ms UTC, in even steps.
        counts: of each column, (look, count) from the bottom up.
        end: where the last column ends, ms UTC.
        words: what is said for a look; without one, its own name.
    """
    top = max((sum(count for _, count in parts) for parts in counts), default=0)
    width = 100 / max(1, len(times))
    length = max(1, end - times[0]) if times else 1
    drawn = tuple(
        Column(
            round(index * width, 3), round(width * (1 - GAP), 3), _parts(parts, top), _says(time, parts, length, words)
        )
        for index, (time, parts) in enumerate(zip(times, counts, strict=True))
    )
    return Columns(drawn, _labels(times, width, length), top, top == 0)


def _parts(counts: Sequence[tuple[str, int]], top: int) -> tuple[Part, ...]:
    found, floor = list[Part](), 100.0
    for look, count in counts:
        if count:
            height = max(LEAST, 100 * count / top)
            floor = max(0.0, floor - height)
            found.append(Part(look, round(floor, 2), round(min(height, 100.0), 2)))
    return tuple(found)


def _says(time: int, counts: Sequence[tuple[str, int]], length: int, words: Mapping[str, str]) -> str:
    told = ", ".join(f"{count:,} {words.get(look, look)}" for look, count in counts if count) or "nothing"
    return f"{_moment(time, length)} UTC: {told}"


def _labels(times: Sequence[int], width: float, length: int) -> tuple[Label, ...]:
    every = max(1, len(times) // MARKS)
    return tuple(
        Label(round(index * width, 3), _iso(times[index]), _moment(times[index], length))
        for index in range(0, len(times), every)
        if index * width < 90
    )


def _moment(ms: int, length: int) -> str:
    form = "%d %b" if length > 2 * DAY else "%H:%M"
    return datetime.fromtimestamp(ms / 1000, UTC).strftime(form)


def _iso(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
