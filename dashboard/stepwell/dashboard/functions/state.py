"""Whether a function does what it is there for: the state of its page, and in lists."""

from stepwell.dashboard.wording.tone import Tone
from stepwell.platform.flow.pausing import Mode, Paused

MEANS: dict[Mode, str] = {
    "keep": "All its runs wait, also those that have begun. Events go on starting new ones, which wait as well.",
    "hold": "Runs that have begun go on to their end. Those that have not begun wait.",
    "drop": "Runs that there are go on. Events that come meanwhile start none, and none is made up for later.",
}
"""What it is to be paused in each way."""


def state_of(paused: Paused | None, workers: int, *, moving: bool) -> Tone:
    """What comes first of all that keeps its runs from executing."""
    if paused:
        return Tone("paused", f"Paused ({paused.mode})")
    if not workers:
        return Tone("warning", "No worker")
    return Tone("waiting", "Moving") if moving else Tone("fine", "Ready")
