"""What runs print is kept with them, and printed as ever."""

import sys
from collections.abc import Generator
from contextlib import contextmanager, suppress
from typing import Any, TextIO, cast

from stepwell.functions.replay.scribe import SCRIBE


class Overheard:
    """A text stream as it is, but the run whose code writes to it is told what. Code that is of no run costs a look.

    Args:
        stream: whatever was `sys.stdout`.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Writes on."""
        written = self._stream.write(text)
        scribe = SCRIBE.get()
        if scribe is not None:
            # Whatever goes wrong with what is only kept for people must not reach the code that prints.
            with suppress(Exception):
                scribe.print(text)
        return written

    def writelines(self, lines: Any) -> None:
        """Writes each on."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextmanager
def overheard() -> Generator[None]:
    """What runs print meanwhile is kept with them."""
    before = sys.stdout
    if isinstance(before, Overheard):
        yield
        return
    sys.stdout = mine = cast("TextIO", Overheard(before))
    try:
        yield
    finally:
        # Somebody else, such as pytest, may have put another in its place.
        if sys.stdout is mine:
            sys.stdout = before
