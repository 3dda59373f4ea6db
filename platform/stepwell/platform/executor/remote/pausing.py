"""How long after a failed attempt an app is called again."""

import random

TABLE = (15, 30, 60, 120, 300, 600, 1_200, 2_400, 3_600, 7_200)
"""Seconds after the first failed attempt, the second, and so on (WIRE.md 4)."""
SPREAD = 0.5
"""Of each, by which it is longer at random, so that what failed together does not come back together."""


def pause(attempts: int, interval: float | None) -> int:
    """Ms after so many failed attempts, 1 or more; with `interval`, as many seconds more each time, and no table."""
    if interval is not None:
        return round(interval * attempts * 1000)
    seconds = TABLE[min(attempts, len(TABLE)) - 1]
    return round(seconds * 1000 * (1 + SPREAD * random.random()))  # noqa: S311 # no secret
