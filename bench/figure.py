"""What a section measures: values, what they should be, and what they cost."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import ceil
from statistics import median
from typing import Literal

from bench.cpu import Cpu


class BenchFailed(Exception):
    """What was to be measured did not happen."""


@dataclass(frozen=True, slots=True)
class Target:
    """What a figure should be, at least or at most. `every`: each value, not only their median."""

    sign: Literal["≤", "≥"]
    bound: float
    every: bool = False

    def met(self, values: Sequence[float]) -> bool:
        """Whether values meet it."""
        judged = values if self.every else [median(values)]
        return all(value <= self.bound if self.sign == "≤" else value >= self.bound for value in judged)

    def __str__(self) -> str:
        return f"{self.sign} {number(self.bound)}"


def load() -> float:
    """The load average of the last minute."""
    return os.getloadavg()[0]


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the report.

    Args:
        name: what was measured.
        unit: of the values.
        values: one for each round.
        target: what it should be, if that is known.
        cpu: µs for each `per`.
        per: what the CPU time is divided by: "run", "step", "event".
        note: what to know about it.
        load: load average when it was measured.
    """

    name: str
    unit: str
    values: tuple[float, ...]
    target: Target | None = None
    cpu: Cpu | None = None
    per: str = ""
    note: str = ""
    load: float = field(default_factory=load)

    @property
    def value(self) -> float:
        """The median."""
        return median(self.values)

    @property
    def passed(self) -> bool | None:
        """Whether it is as it should be; None when nothing is asked."""
        return None if self.target is None else self.target.met(self.values)


def percentile(values: Sequence[float], share: float) -> float:
    """The value that `share` (0 to 1) of the values do not exceed, by the nearest-rank method."""
    ordered = sorted(values)
    return ordered[max(ceil(share * len(ordered)), 1) - 1]


def number(value: float) -> str:
    """A number with about three digits that count."""
    if value == int(value) or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"
