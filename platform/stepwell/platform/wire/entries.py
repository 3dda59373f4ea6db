"""What apps of our own SDK record, as they send it."""

from collections.abc import Iterator
from typing import Annotated, Any, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, model_validator

from stepwell.functions.ids import ID
from stepwell.functions.lines import LONGEST_LINE
from stepwell.platform.incoming import LATEST
from stepwell.platform.wire.given import decode_given

MOST_LINES = 256
"""That are said at once."""
Key: TypeAlias = Annotated[str, Field(min_length=1, max_length=512)]
Word: TypeAlias = Annotated[str, Field(pattern=r"^[a-z_]{1,32}$")]
Count: TypeAlias = Annotated[int, Field(ge=0, le=1_000_000)]
Ms: TypeAlias = Annotated[int, Field(ge=0, le=LATEST)]
Took: TypeAlias = Annotated[int, Field(ge=0, le=31_536_000_000)]
"""A year at most: nothing began before 1970."""


class Write(BaseModel):
    """What is written of a step."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    key: Key


class Checkpoint(Write):
    """The outcome of a step whose body ran for `took` ms."""

    kind: Word
    ok: bool
    attempts: Count
    took: Took
    payload: str


class Arm(Write):
    """A wait of `delay` ms, or until a moment in ms UTC."""

    kind: Word
    delay: Ms | None
    until: int | None


class Retry(Write):
    """A failed attempt that is tried again in `delay` ms."""

    kind: Word
    attempts: Count
    delay: Ms
    took: Took
    error: str


class Send(Write):
    """Events to be sent."""

    events: list[dict[str, Any]]


class Wait(Write):
    """A wait for events; see `Journal.wait`."""

    kind: Word
    waits: list[dict[str, Any]]
    delay: Ms | None
    until: int | None
    due: str
    names: list[str]


class Invoke(Write):
    """A run of another function; see `Journal.invoke`."""

    function: Annotated[str, Field(pattern=f"^{ID}/{ID}$")]
    data: str
    delay: Ms | None
    detach: bool


class Line(BaseModel):
    """A line that the code of a run has written."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    at: Ms
    level: Annotated[str, Field(max_length=32)]
    step: Annotated[str, Field(max_length=512)]
    attempt: Count
    message: str
    fields: dict[str, Any]


class Progress(BaseModel):
    """How far it has come."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    at: Ms
    value: Annotated[float, Field(ge=0, le=1)]
    text: Annotated[str, Field(max_length=512)]
    step: Annotated[str, Field(max_length=512)]
    attempt: Count


class Say(BaseModel):
    """What it says, since it said something the last time; see `Logs.keep`."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    seq: Count
    lines: Annotated[list[Annotated[str, Field(max_length=LONGEST_LINE)]], Field(max_length=MOST_LINES)]
    lost: Count
    step: Annotated[str, Field(max_length=512)]
    progress: Annotated[str, Field(max_length=LONGEST_LINE)]


class Entry(BaseModel):
    """The body of a request: one of these writes, or a look at what has become of waits.

    Args:
        token: of the run's lease, as it came with the call.
        turn: the last that the app knows.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    token: Annotated[str, Field(pattern=r"^[!-~]{1,256}$")]
    turn: Ms
    checkpoint: Checkpoint | None = None
    arm: Arm | None = None
    retry: Retry | None = None
    send: Send | None = None
    wait: Wait | None = None
    invoke: Invoke | None = None
    look: dict[str, Any] | None = None
    say: Say | None = None

    @model_validator(mode="after")
    def _one(self) -> "Entry":
        if len(list(self.writes())) > 1:
            raise ValueError("one thing is recorded at a time")
        return self

    def writes(self) -> Iterator[tuple[str, Any]]:
        """What is to be written."""
        for name in ("checkpoint", "arm", "retry", "send", "wait", "invoke"):
            if (write := getattr(self, name)) is not None:
                yield name, write


def json_of(text: str) -> bytes:
    """JSON that is recorded as it is. Raises `MalformedJSON`."""
    given = text.encode()
    decode_given(given)
    return given


def error_text(text: str) -> bytes:
    """An error that is recorded as it is. Raises `MalformedJSON`, `KeyError`, `TypeError`."""
    known = decode_given(text.encode())
    if not isinstance(known["type"], str) or not isinstance(known["message"], str):
        raise TypeError("an error has a type and a message, which are text")
    return text.encode()
