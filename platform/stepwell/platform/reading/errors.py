"""Errors of failed runs, those that are alike together: one cause, or many?"""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from stepwell.platform.codec import decode
from stepwell.platform.records import RunRecord, Status

MOST_CHARACTERS = 500
"""Of a message; the page of the run has it whole."""
_OF_STEP = re.compile(r"step (?:'[^']*'|\"[^\"]*\") failed after \d+ attempts?: (\w+): (.*)", re.DOTALL)
_OF_INVOKE = re.compile(r"(step (?:'[^']*'|\"[^\"]*\"): \S+ did not complete)(?: \(run \w+\))?: (.*)", re.DOTALL)
_WORD = re.compile(r"\S+")
_DIGIT = re.compile(r"\d")


@dataclass(frozen=True, slots=True)
class ErrorGroup:
    """Errors of one type whose messages differ in words with a digit at most, such as ids.

    Args:
        type: of the exception; of a step that has failed, its exception.
        message: the most frequent.
        count: runs that failed so.
        messages: different ones, at least 1.
        example: id of a run with this message.
    """

    type: str
    message: str
    count: int
    messages: int
    example: str


@dataclass(slots=True)
class _Alike:
    messages: Counter[str] = field(default_factory=Counter[str])
    examples: dict[str, str] = field(default_factory=dict[str, str])

    def take(self, message: str, run: str) -> None:
        self.messages[message] += 1
        self.examples.setdefault(message, run)

    def group(self, kind: str) -> ErrorGroup:
        [(message, _)] = self.messages.most_common(1)
        return ErrorGroup(kind, message, self.messages.total(), len(self.messages), self.examples[message])


def grouped(runs: Iterable[RunRecord]) -> list[ErrorGroup]:
    """The errors of those that have failed, whose `error` was read; the most frequent first."""
    found: dict[tuple[str, str], _Alike] = {}
    for run in runs:
        if run.status is Status.FAILED and run.error:
            kind, message = cause_of(run.error)
            alike = found.setdefault((kind, _WORD.sub(_unvarying, message)), _Alike())
            alike.take(message[:MOST_CHARACTERS], run.id)
    groups = [alike.group(kind) for (kind, _), alike in found.items()]
    return sorted(groups, key=lambda group: (-group.count, group.type, group.message))


def _unvarying(word: re.Match[str]) -> str:
    """A word without what may differ in messages that say the same: ids, amounts, times, addresses."""
    return "…" if _DIGIT.search(word[0]) else word[0]


def cause_of(error: bytes) -> tuple[str, str]:
    """Type and message of a recorded error; of a step that has failed, those of its exception."""
    parts: dict[str, object] = decode(error)
    kind, message = str(parts.get("type") or "Error"), str(parts.get("message") or "")
    if kind == "StepFailed" and (inner := _OF_STEP.fullmatch(message)):
        return inner[1], inner[2]
    if kind == "InvokeFailed" and (inner := _OF_INVOKE.fullmatch(message)):
        return kind, f"{inner[1]}: {inner[2]}"
    return kind, message
