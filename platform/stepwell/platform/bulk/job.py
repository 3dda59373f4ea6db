"""A bulk job, as it is recorded."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Self, cast

from stepwell.platform.bulk.order import BulkOrder

State = Literal["running", "stopping", "stopped", "done", "failed"]
END = "-"
"""Cursor behind the last page."""


@dataclass(frozen=True, slots=True)
class Refused:
    """Runs that something could not be done to: why, how many, and the first of them."""

    reason: str
    count: int
    examples: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Job:
    """An order to steer many runs, and how far that has come. Times in ms UTC, `ended` 0 until then.

    Args:
        id: of the job.
        order: what it is to do.
        by: name of the API key of who asked; empty on a server that asks for none.
        state: of it.
        problem: why it has failed.
        cursor: of the next page of runs.
        todo: runs of the page before that are yet to be steered.
        seq: of the last note.
        searched: runs looked at.
        total: runs there are to look at, once that is known.
        undecided: of those searched, where its expression needed too many steps.
        matched: runs that were found.
        done: of those, how many were steered.
        refused: and how many not, by reason.
    """

    id: str
    order: BulkOrder
    by: str
    state: State
    created: int
    ended: int = 0
    problem: str = ""
    cursor: str = ""
    todo: tuple[str, ...] = ()
    seq: int = 0
    searched: int = 0
    total: int = 0
    undecided: int = 0
    matched: int = 0
    done: int = 0
    refused: tuple[Refused, ...] = ()

    @classmethod
    def parse(cls, id: str, fields: Mapping[bytes, bytes]) -> Self:
        """Reads the hash; see lua/include/bulk.lua."""
        texts = {name.decode(): value for name, value in fields.items()}

        def text(name: str) -> str:
            return texts.get(name, b"").decode()

        def number(name: str) -> int:
            return int(texts.get(name, 0))

        reasons = [name.removeprefix("r:") for name in texts if name.startswith("r:")]
        refused = [Refused(why, number(f"r:{why}"), tuple(text(f"x:{why}").split())) for why in reasons]
        return cls(
            id,
            BulkOrder.parse(texts["what"], number("rate")),
            text("by"),
            cast("State", text("state")),
            created=number("created"),
            ended=number("ended"),
            problem=text("problem"),
            cursor=text("cursor"),
            todo=tuple(text("todo").split()),
            seq=number("seq"),
            searched=number("searched"),
            total=number("total"),
            undecided=number("undecided"),
            matched=number("matched"),
            done=number("done"),
            refused=tuple(sorted(refused, key=lambda one: (-one.count, one.reason))),
        )
