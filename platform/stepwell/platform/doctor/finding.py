"""What an examination finds."""

from dataclasses import dataclass
from typing import Literal

Level = Literal["fine", "warning", "wrong"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Args:
        level: fine; warning, for what may become a trouble; wrong, for what is one.
        about: what was looked at, in a word or two.
        text: what was found.
        mend: what to do about it; empty when it is fine.
    """

    level: Level
    about: str
    text: str
    mend: str = ""


def fine(about: str, text: str) -> Finding:
    """Nothing to do."""
    return Finding("fine", about, text)


def warning(about: str, text: str, mend: str) -> Finding:
    """Something to look after."""
    return Finding("warning", about, text, mend)


def wrong(about: str, text: str, mend: str) -> Finding:
    """Something to mend."""
    return Finding("wrong", about, text, mend)
