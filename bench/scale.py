"""How much of everything is measured."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from bench.stack import Stack

Fsync: TypeAlias = Literal["everysec", "always"]


@dataclass(frozen=True, slots=True)
class Crowds:
    """Sizes of the workloads of flow control.

    Args:
        queued: runs behind a key that one at a time has.
        flowing: runs on other keys meanwhile.
        seconds: for which they come.
        handed: runs that have a slot one after the other.
        paced: seconds for which a throttle is watched.
        gathered: keys of which each has a debounce, and a batch.
        noisy: runs of the tenant who has very many.
        quiet: tenants who have a run a second.
    """

    queued: int
    flowing: int
    seconds: float
    handed: int
    paced: int
    gathered: int
    noisy: int
    quiet: int


@dataclass(frozen=True, slots=True)
class Scale:
    """Sizes of the workloads.

    Args:
        repeat: rounds of each workload; those that take long have a bound of their own.
        runs: of a round of W1.
        singles: runs of W2, one at a time.
        lengths: steps of the runs of W3, shortest first.
        branches: parallel steps of W4.
        sleepers: runs of W5.
        nap: ms that they sleep.
        crashed: runs of W6.
        expiry: seconds of silence after which a worker is dead; 15 is what users have.
        load: seconds of each ingest load.
        residents: runs that sleep for a day while memory is looked at.
        transitions: of each kind.
        waiters: runs of W7.
        others: that wait meanwhile.
        children: of the parent of W8.
        schedules: of W9.
        kept: runs that are stored while pages are looked at.
        crowds: of flow control.
        together: whether sections share a platform where they can; starting one takes longer than a small section.
    """

    repeat: int
    runs: int
    singles: int
    lengths: tuple[int, ...]
    branches: int
    sleepers: int
    nap: int
    crashed: int
    expiry: float
    load: int
    residents: int
    transitions: int
    waiters: int
    others: int
    children: int
    schedules: int
    kept: int
    crowds: Crowds
    together: bool = False


FULL = Scale(
    *(
        5,
        1_000,
        200,
        (50, 200, 800),
        200,
        1_000,
        5_000,
        200,
        15.0,
        3,
        20_000,
        1_280,
        1_000,
        100_000,
        1_000,
        10_000,
        100_000,
    ),
    Crowds(100_000, 1_000, 10, 1_000, 60, 500, 50_000, 50),
)
QUICK = Scale(
    *(2, 1_000, 100, (50, 200, 800), 200, 1_000, 5_000, 200, 15.0, 1, 5_000, 320, 1_000, 10_000, 1_000, 10_000, 10_000),
    Crowds(10_000, 500, 5, 300, 10, 500, 5_000, 50),
)
TINY = Scale(
    *(1, 20, 5, (2, 4, 8), 8, 10, 200, 5, 3.0, 1, 50, 64, 10, 20, 10, 70, 60),
    Crowds(20, 10, 0.2, 10, 1, 5, 20, 5),
    together=True,
)
"""Enough to see that everything is measured; the figures mean nothing."""


@dataclass(frozen=True, slots=True)
class Setting:
    """What a section measures under.

    Args:
        scale: how much.
        fsync: how Redis writes.
        program: the server to embed, None for the one a user would have.
        shared: the platform to measure, None for one of its own.
    """

    scale: Scale
    fsync: Fsync
    program: Path | None = None
    shared: Stack | None = None
