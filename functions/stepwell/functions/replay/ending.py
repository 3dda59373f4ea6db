"""How an execution ends."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Completed:
    """The handler returned; `output` is JSON."""

    output: bytes


@dataclass(frozen=True, slots=True)
class Failed:
    """The run has failed for good; `error` is JSON {type, message, traceback}."""

    error: bytes


@dataclass(frozen=True, slots=True)
class Retry:
    """The handler raised outside its steps and is called again in `delay` ms."""

    error: bytes
    delay: int


@dataclass(frozen=True, slots=True)
class Suspended:
    """All the handler awaits are durable waits.

    Args:
        turn: the last turn seen: if the run has a later one by now, it can go on at once.
        within: lease it again after so many ms even if no wait has ended; 0 for no such limit. Set when a lock, queue
            or event that may belong to somebody else is among what it awaits.
    """

    turn: int
    within: int = 0


@dataclass(frozen=True, slots=True)
class Released:
    """Unwound before its end, because of a drain, a lost lease or an unavailable journal: another lease goes on."""


@dataclass(frozen=True, slots=True)
class Cancelled:
    """Cancelled, and its cleanup has run."""


Ending = Completed | Failed | Retry | Suspended | Released | Cancelled
