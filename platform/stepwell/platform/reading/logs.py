"""What the code of runs has said: lines, and how far it has come."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from stepwell.platform.codec import decode
from stepwell.platform.engine.partition import Partition

MOST_LINES = 1_000
"""Lines of a page."""


@dataclass(frozen=True, slots=True)
class Said:
    """How much a run has said, and how much of that is kept: the newest."""

    lines: int
    kept: int

    @classmethod
    def parse(cls, text: bytes | None) -> "Said":
        """Reads field "lg" of a header; see lua/log.lua."""
        lines, kept, *_ = (text or b"0 0").split(b" ")
        return cls(int(lines), int(kept))

    @property
    def dropped(self) -> int:
        """Lines that are not kept, all older than those that are."""
        return self.lines - self.kept


@dataclass(frozen=True, slots=True)
class KeptLine:
    """One line.

    Args:
        number: in its run, from 1; lines that were dropped are counted.
        at: ms UTC.
        level: debug, info, warning, error, critical; or print.
        message: what it says.
        fields: given with it.
        step: whose body said it; `None` outside steps.
        attempt: of the step, or of the handler, from 1.
    """

    number: int
    at: int
    level: str
    message: str
    fields: dict[str, Any]
    step: str | None
    attempt: int

    @classmethod
    def parse(cls, number: int, text: bytes) -> "KeptLine":
        """Reads what stepwell.functions.lines has written."""
        line: dict[str, Any] = decode(text)
        step = line["step"] or None
        return cls(number, line["at"], line["level"], line["message"], line["fields"], step, line["attempt"])


@dataclass(frozen=True, slots=True)
class LogPage:
    """Lines of a run, oldest first. `next` continues it: the number of the last line; `None` at the end for now.

    `dropped` lines are not kept any more, of all that were `said`.
    """

    lines: tuple[KeptLine, ...]
    next: int | None
    dropped: int
    said: int = 0


@dataclass(frozen=True, slots=True)
class KeptProgress:
    """How far a run, or one of its steps, has come; see `KeptLine` for the rest.

    Args:
        value: from 0 to 1.
        text: what is being done.
    """

    at: int
    value: float
    text: str
    step: str | None
    attempt: int

    @classmethod
    def parse(cls, text: bytes | None) -> "KeptProgress | None":
        """Reads what stepwell.functions.lines has written; `None` when nothing was."""
        if not text:
            return None
        said: dict[str, Any] = decode(text)
        return cls(said["at"], said["value"], said["text"], said["step"] or None, said["attempt"])


async def log_of(partition: Partition, run: str, after: int, limit: int) -> LogPage | None:
    """Up to `limit` lines behind the one of number `after`; `None` when there is no such run."""
    key = partition.keys.name("k_logs", run)
    while True:
        known, said = await _said(partition, run)
        if not known:
            return None
        first = max(0, after - said.dropped)
        texts: list[bytes] = await partition.read("LRANGE", key, first, first + limit - 1)
        if await _said(partition, run) == (known, said):
            return _page(said, first, texts)


def _page(said: Said, first: int, texts: Sequence[bytes]) -> LogPage:
    lines = [KeptLine.parse(said.dropped + first + index, text) for index, text in enumerate(texts, 1)]
    more = first + len(texts) < said.kept and lines
    return LogPage(tuple(lines), lines[-1].number if more else None, said.dropped, said.lines)


async def _said(partition: Partition, run: str) -> tuple[bool, Said]:
    head, said = await partition.read("HMGET", partition.keys.name("k_run", run), "i", "lg")
    return head is not None, Said.parse(said)


async def progress_of(partition: Partition, run: str) -> dict[str, KeptProgress]:
    """How far the steps of a run have come, of those that say so."""
    flat: list[bytes] = await partition.read("HGETALL", partition.keys.name("k_progress", run))
    found = {key.decode(): KeptProgress.parse(text) for key, text in zip(flat[::2], flat[1::2], strict=True)}
    return {key: progress for key, progress in found.items() if progress}
