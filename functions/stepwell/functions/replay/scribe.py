"""Writes down what the code of one execution says, each line once: what a replay says again is left out."""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any, Final

from stepwell.functions.logbook import LogLine, Opening, Place, Progress
from stepwell.functions.replay.attempts import Attempts
from stepwell.functions.replay.decision import Decision, Phase
from stepwell.functions.replay.ownership import OWNER
from stepwell.functions.replay.record import Record

LONGEST_PRINT: Final = 4_096
"""Characters printed without a line feed that become a line of their own."""


class Scribe:
    """Knows where the code at hand is. Emptied at the end: contexts outlive runs.

    Args:
        logbook: gives where it is written.
        attempt: of the handler, from 0.
        decision, record, attempts: of the execution.
    """

    __slots__ = ("_attempt", "_attempts", "_decision", "_logbook", "_printed", "_record")

    def __init__(self, logbook: Opening, attempt: int, decision: Decision, record: Record, attempts: Attempts) -> None:
        self._logbook: Opening | None = logbook
        self._attempt = attempt
        self._decision = decision
        self._record: Record | None = record
        self._attempts: Attempts | None = attempts
        self._printed: dict[Place, str] | None = None

    @property
    def silent(self) -> bool:
        """Whether the code at hand has said this before, or does only because it is unwound."""
        record, attempts = self._record, self._attempts
        if record is None or attempts is None:
            return True
        if isinstance(OWNER.get(), str):
            return False
        return self._decision.phase is Phase.UNWINDING or (bool(record.rows) and not attempts.begun)

    def write(self, level: str, message: str, fields: Mapping[str, Any]) -> None:
        """A line, unless it is silent."""
        logbook = self._logbook
        if logbook is not None and not self.silent:
            logbook().write(LogLine(self._place(), level, message, fields))

    def advance(self, value: float, text: str) -> None:
        """A progress, unless it is silent."""
        logbook = self._logbook
        if logbook is not None and not self.silent:
            logbook().advance(Progress(self._place(), value, text))

    def print(self, text: str) -> None:
        """What was printed: a line when it is complete. Blank ones are left out."""
        if self.silent:
            return
        if self._printed is None:
            self._printed = {}
        place = self._place()
        *lines, rest = (self._printed.pop(place, "") + text).split("\n")
        if len(rest) >= LONGEST_PRINT:
            lines, rest = [*lines, rest], ""
        if rest:
            self._printed[place] = rest
        self._print_lines(place, lines)

    def close(self) -> None:
        """The execution has ended: what was printed without a line feed is a line, and nothing follows."""
        for place, rest in (self._printed or {}).items():
            self._print_lines(place, [rest])
        self._logbook = self._record = self._attempts = self._printed = None

    def _print_lines(self, place: Place, lines: list[str]) -> None:
        logbook = self._logbook
        if logbook is not None:
            for line in filter(str.strip, lines):
                logbook().write(LogLine(place, "print", line.removesuffix("\r"), {}))

    def _place(self) -> Place:
        step = OWNER.get()
        if not isinstance(step, str):
            return Place("", self._attempt + 1)
        return Place(step, self._attempts.tried.get(step, 1) if self._attempts is not None else 1)


SCRIBE: Final[ContextVar[Scribe | None]] = ContextVar("stepwell-scribe", default=None)
"""Of the execution that the code at hand belongs to."""
