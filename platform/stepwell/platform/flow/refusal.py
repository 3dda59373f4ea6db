"""Why an event has started no run of a function."""

from dataclasses import dataclass
from typing import Literal, cast

Reason = Literal["paused", "duplicate", "rate_limited", "singleton"]
TEXTS: dict[Reason, str] = {
    "paused": "the function was paused, and drops what comes meanwhile",
    "duplicate": "a run with the same idempotency key came first",
    "rate_limited": "as many runs as its rate limit lets start had started",
    "singleton": "another run of its singleton key had not ended",
}


@dataclass(frozen=True, slots=True)
class Refusal:
    """A control kept a run from being created.

    Args:
        reason: which.
        run: the run that is the reason, or "".
    """

    reason: Reason
    run: str = ""

    @classmethod
    def parse(cls, why: str) -> "Refusal":
        """Reads `reason` or `reason:run`, as lua/include/refusing.lua writes it."""
        reason, _, run = why.partition(":")
        return cls(cast("Reason", reason), run)

    @property
    def text(self) -> str:
        """The reason in words."""
        return f"{TEXTS[self.reason]}: {self.run}" if self.run else TEXTS[self.reason]
