"""One line of what needs attention."""

from dataclasses import dataclass

from stepwell.dashboard.wording.moments import Moment
from stepwell.dashboard.wording.tone import Tone


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something that somebody should look at.

    Args:
        id: of its line, unique on the page.
        tone: how bad it is.
        subject: what it is about.
        text: what is so; it follows the subject in the same sentence.
        url: of the page that shows the cause, or leads to it.
        since: when it began, if that is known.
    """

    id: str
    tone: Tone
    subject: str
    text: str
    url: str
    since: Moment | None = None
