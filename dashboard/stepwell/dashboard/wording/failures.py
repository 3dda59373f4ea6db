"""Errors for reading: who raised what because of what, with the frames of the app apart from those of libraries."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import PurePath
from typing import Any, cast

from stepwell.dashboard.wording.texts import cut
from stepwell.platform.codec import decode
from stepwell.platform.reading.errors import cause_of
from stepwell.platform.records import RunRecord, Status

RELATIONS = {
    "cause": "caused by",
    "context": "raised while handling",
    "member": "one of the group",
}
LIBRARIES = ("site-packages", "dist-packages", "/lib/python", "\\lib\\", "<frozen")
MOST_CHARACTERS = 200
"""Of an error in a list."""
SHOWN_PARTS = 3
"""Of the path of a file, the last ones."""


@dataclass(frozen=True, slots=True)
class Frame:
    """A call. `where` is the end of its `file`; `code` the line itself, where it was kept."""

    file: str
    where: str
    line: int
    function: str
    code: str | None


@dataclass(frozen=True, slots=True)
class Frames:
    """Calls that follow each other, all of the app or all of libraries."""

    own: bool
    frames: tuple[Frame, ...]


@dataclass(frozen=True, slots=True)
class Trouble:
    """One error. `relation` to the one before it, in words; its traceback is in `calls`, or is `text`.

    `cut`: calls above those that are kept.
    """

    type: str
    message: str
    relation: str
    calls: tuple[Frames, ...]
    text: str | None
    cut: int


@dataclass(frozen=True, slots=True)
class FailureView:
    """An error and its causes, the last raised first, and the same as `raw` text; `hidden`: without tracebacks.

    `cut`: causes that are not kept.
    """

    troubles: tuple[Trouble, ...]
    raw: str
    cut: int = 0
    hidden: bool = False

    @property
    def line(self) -> str:
        """The error in one line."""
        first = self.troubles[0]
        return f"{first.type}: {first.message}" if first.message else first.type

    def without_payloads(self) -> "FailureView":
        """The same for those who may not see payloads."""
        bare = tuple(replace(one, calls=(), text=None) for one in self.troubles)
        return replace(self, troubles=bare[:1], raw="", hidden=True)


def failure_view(error: bytes | None) -> FailureView | None:
    """An error as it is recorded; `None` when there is none."""
    if not error:
        return None
    parts: dict[str, Any] = decode(error)
    causes = cast("list[dict[str, Any]]", parts.get("causes") or [])
    troubles = (_trouble(parts, ""), *(_trouble(one, _relation(one)) for one in causes))
    cut = int(parts.get("causes_cut") or 0)
    return FailureView(troubles, "\n\n".join(_as_text(one) for one in troubles), cut)


def error_line(run: RunRecord) -> str | None:
    """Why a run has failed, in one line of a list; `None` when it has not."""
    if run.status is not Status.FAILED or not run.error:
        return None
    return cut(" ".join(": ".join(filter(None, cause_of(run.error))).split()), MOST_CHARACTERS)


def _relation(cause: Mapping[str, Any]) -> str:
    return RELATIONS.get(str(cause.get("relation", "cause")), RELATIONS["cause"])


def _trouble(parts: Mapping[str, Any], relation: str) -> Trouble:
    found = parts.get("traceback")
    calls = _calls(cast("list[dict[str, Any]]", found)) if isinstance(found, list) else ()
    text = None if isinstance(found, list) or not found else str(found)
    cut = int(parts.get("cut") or 0)
    return Trouble(str(parts.get("type", "Error")), str(parts.get("message", "")), relation, calls, text, cut)


def _calls(found: Sequence[Mapping[str, Any]]) -> tuple[Frames, ...]:
    frames = [_frame(one) for one in found]
    return tuple(Frames(own, tuple(some)) for own, some in groupby(frames, lambda frame: _is_own(frame.file)))


def _frame(one: Mapping[str, Any]) -> Frame:
    file = str(one.get("file", ""))
    where = "/".join(PurePath(file.replace("\\", "/")).parts[-SHOWN_PARTS:]).removeprefix("//")
    code = str(one.get("source") or "").strip() or None
    return Frame(file, where, int(one.get("line") or 0), str(one.get("function", "")), code)


def _is_own(file: str) -> bool:
    return not any(part in file for part in LIBRARIES)


def _as_text(trouble: Trouble) -> str:
    head = f"{trouble.type}: {trouble.message}" if trouble.message else trouble.type
    lines = [trouble.text] if trouble.text else list(_lines(trouble))
    return "\n".join([f"{trouble.relation} {head}" if trouble.relation else head, *lines])


def _lines(trouble: Trouble) -> Iterator[str]:
    if trouble.cut:
        yield f"  [{trouble.cut} more above]"
    for group in trouble.calls:
        for frame in group.frames:
            yield f'  File "{frame.file}", line {frame.line}, in {frame.function}'
            if frame.code:
                yield f"    {frame.code}"
