"""How often, and how patiently, a request is tried again."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from itertools import count
from typing import TypeVar

from stepwell.client.errors import Answered, ClientError

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Retry:
    """Bounds of trying again after a network error, a 5xx or a 429; other refusals are final at once.

    The pause before try n+1 is drawn evenly from the upper half of `first * 2**(n-1)`, at most `most`: "equal jitter"
    of M. Brooker, "Exponential Backoff And Jitter" (AWS Architecture Blog, 2015). A `Retry-After` of the server is kept
    when it is longer. No pause is begun that would end after `patience`.

    Args:
        tries: tries in all, the first included.
        first: seconds, longest pause after the first try.
        most: seconds, longest pause ever drawn.
        patience: seconds from the first try within which the last one must begin.

    Raises:
        ValueError: `tries` is below 1 or a time is negative.
    """

    tries: int = 8
    first: float = 0.1
    most: float = 5.0
    patience: float = 60.0

    def __post_init__(self) -> None:
        if self.tries < 1:
            raise ValueError(f"Retry(tries={self.tries}): at least 1, which means no second try")
        if min(self.first, self.most, self.patience) < 0:
            raise ValueError(f"{self}: first, most and patience are seconds and cannot be negative")

    def pause(self, error: ClientError, tried: int, spent: float) -> float | None:
        """Seconds to wait before the next try, or None when there is none.

        Args:
            error: what the last try ended with.
            tried: tries so far, 1 or more.
            spent: seconds since the first try began.
        """
        if not error.retriable or tried >= self.tries:
            return None
        drawn = min(self.most, self.first * 2 ** min(tried - 1, 30)) * random.uniform(0.5, 1)  # noqa: S311 (jitter, no secret)
        asked = error.retry_after if isinstance(error, Answered) else None
        pause = max(drawn, asked or 0.0)
        return pause if spent + pause <= self.patience else None

    async def persist(self, call: Callable[[], Awaitable[T]]) -> T:
        """The result of `call`, awaited again until it succeeds or these bounds are met; then its last ClientError."""
        loop = asyncio.get_running_loop()
        begun = loop.time()
        for tried in count(1):
            try:
                return await call()
            except ClientError as error:
                pause = self.pause(error, tried, loop.time() - begun)
                if pause is None:
                    raise
            await asyncio.sleep(pause)
        raise AssertionError("count() does not end")
