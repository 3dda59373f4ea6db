"""What a worker's parent asks of a child, and the lines they write to each other."""

from typing import Any, Literal

from pydantic import BaseModel

BAD_TARGET = 2
"""Exit code of a child whose target cannot be loaded: starting it again would not help."""


class Errand(BaseModel):
    """The one argument of a child.

    Args:
        target: what to load; see target.py.
        session: in whose name to lease.
        concurrency: runs at once.
        board: path of the board.
        control, report: file descriptors to read commands from, and write reports to.
        suspects: serve suspects only.
    """

    target: str
    session: str
    concurrency: int
    board: str
    control: int
    report: int
    suspects: bool


class Report(BaseModel):
    """A line from child to parent: it has registered, it is alive, or why it cannot begin."""

    what: Literal["ready", "alive", "failed"]
    functions: list[str] = []
    busy: int = 0
    problem: str = ""


class Command(BaseModel):
    """A line from parent to child."""

    what: Literal["drain", "dead"]


def line(message: BaseModel) -> bytes:
    """A message as a line of JSON."""
    return message.model_dump_json(exclude_defaults=False).encode() + b"\n"


def environment(base: dict[str, str], redis_url: str) -> dict[str, Any]:
    """The child's environment: its parent's, and the address of the Redis its parent found."""
    return {**base, "STEPWELL_REDIS_URL": redis_url, "PYTHONUNBUFFERED": "1"}
