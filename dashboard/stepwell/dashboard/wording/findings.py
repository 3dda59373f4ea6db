"""What an examination finds, by picture, colour and words."""

from dataclasses import dataclass

from stepwell.dashboard.wording.texts import capital
from stepwell.dashboard.wording.tone import Tone
from stepwell.platform.doctor.finding import Finding, Level

FINE, WARNING, WRONG = Tone("fine", "Fine"), Tone("warning", "To look after"), Tone("failed", "Wrong")
LEVELS: dict[Level, Tone] = {"fine": FINE, "warning": WARNING, "wrong": WRONG}
ORDER: tuple[Level, ...] = ("wrong", "warning", "fine")


@dataclass(frozen=True, slots=True)
class FindingView:
    """One thing that was looked at: `mend` is what to do about it, if anything."""

    tone: Tone
    about: str
    text: str
    mend: str


def finding_view(found: Finding) -> FindingView:
    """A finding in the words of the pages, which begin with a capital."""
    return FindingView(LEVELS[found.level], capital(found.about), capital(found.text), found.mend)
