"""What somebody wants done to many runs."""

from dataclasses import dataclass
from typing import Literal, Self

from stepwell.platform.bulk.wanted import Wanted
from stepwell.platform.codec import decode, encode
from stepwell.platform.reading.filter import RunFilter
from stepwell.platform.steering.refusals import Unfit

Action = Literal["cancel", "rerun", "retry"]
RATE, MOST_RATE = 100, 500
"""Runs per second that are steered by a job unless it says otherwise, and at most."""


@dataclass(frozen=True, slots=True)
class BulkOrder:
    """What a job is to do.

    Args:
        action: cancel; rerun; retry, which has what is about to be tried again tried now.
        wanted: to which runs.
        from_failed: rerun from the step by which each has failed.
        rate: runs per second, at most.
    """

    action: Action
    wanted: Wanted
    from_failed: bool = False
    rate: int = RATE

    def check(self, *, all_runs: bool = False) -> None:
        """Raises `Unfit` when it is no order to give; one for `all_runs` has to say so."""
        if self.wanted.is_empty and not all_runs:
            raise Unfit(f"without a filter, this would {self.action} all runs", 'Give one, or say so with "all": true')
        status = self.wanted.status
        if status is not None and status.ended is not self.of_ended:
            ended = "have ended" if self.of_ended else "have not ended"
            raise Unfit(f"a {self.action} is for runs that {ended}, not for those that are {status}", "Leave it out")
        if self.from_failed and self.action != "rerun":
            raise Unfit(f"from_failed is of a rerun, not of a {self.action}", "Leave it out")
        if not 1 <= self.rate <= MOST_RATE:
            raise Unfit(f"a rate is 1 to {MOST_RATE} runs per second, not {self.rate}", f"By default it is {RATE}")

    @property
    def of_ended(self) -> bool:
        """Whether it is for runs that have ended; else it is for those that have not."""
        return self.action == "rerun"

    @property
    def filter(self) -> RunFilter:
        """The runs that it is for. Raises `ExpressionError`."""
        return self.wanted.filter(ended=self.of_ended)

    @property
    def text(self) -> bytes:
        """As it is kept, but for the rate."""
        return encode({"action": self.action, "from_failed": self.from_failed, "wanted": self.wanted.json()})

    @classmethod
    def parse(cls, text: bytes, rate: int) -> Self:
        """Reads `text`."""
        told = decode(text)
        return cls(told["action"], Wanted.of_json(told["wanted"]), told["from_failed"], rate)
