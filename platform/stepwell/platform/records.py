"""What Redis holds, as frozen dataclasses, and how each is read from its bytes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Literal, Self, TypeAlias, cast

from stepwell.platform.codec import decode
from stepwell.platform.flow.refusal import Refusal

StepState = Literal["pending", "retrying", "done", "failed"]
Raw: TypeAlias = bytes
"""Under another name, because `RunRecord` has a field called bytes."""


class Status(StrEnum):
    """Where a run is in its life; see docs/states.md."""

    QUEUED = "queued"
    RUNNING = "running"
    WAITING = "waiting"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def ended(self) -> bool:
        """Whether nothing can change any more."""
        return self in ENDED


ENDED = frozenset({Status.COMPLETED, Status.FAILED, Status.CANCELLED})


SUSPECT = 2
"""Deaths of its worker in a row that put a run into its function's lane of suspects; see lua/include/scopes.lua."""


@dataclass(frozen=True, slots=True)
class EventRecord:
    """An accepted event. `ts` and `received` in ms UTC; `runs`: ids of all it started or joined, wherever they live.

    `sender_id` is the id its sender gave it, or empty. `position` tells the order of arrival; see
    lua/include/position.lua. `refusals`: functions of which it has started no run, and why.
    """

    id: str
    name: str
    data: dict[str, Any]
    ts: int
    received: int
    runs: tuple[str, ...]
    sender_id: str = ""
    position: int = 0
    refusals: tuple[tuple[str, Refusal], ...] = ()

    @classmethod
    def parse(cls, event_id: str, record: bytes) -> Self:
        """Reads `flag received position runs`, a line feed, and the body."""
        head, _, body = record.partition(b"\n")
        _, received, position, runs = head.decode().split(" ")
        event = cast(dict[str, Any], decode(body))
        told = runs.split(",") if runs else []
        return cls(
            id=event_id,
            name=event["name"],
            data=event["data"],
            ts=event.get("ts", int(received)),
            received=int(received),
            runs=tuple(one for one in told if "=" not in one),
            refusals=tuple(_refusal(one) for one in told if "=" in one),
            sender_id=event.get("id", ""),
            position=int(position),
        )


def _refusal(told: str) -> tuple[str, Refusal]:
    function, _, why = told.partition("=")
    return function, Refusal.parse(why)


@dataclass(frozen=True, slots=True)
class StepRow:
    """One step of a run. Times in ms UTC, 0 when not (yet) so; `payload` is output or error as JSON."""

    key: str
    state: StepState
    kind: str
    turn: int
    attempts: int
    started: int
    ended: int
    due: int
    payload: bytes

    @classmethod
    def parse(cls, key: bytes, row: bytes) -> Self:
        """Reads `state kind turn attempts started ended due`, a line feed, and the payload."""
        head, _, payload = row.partition(b"\n")
        state, kind, *numbers = head.decode().split(" ")
        turn, attempts, started, ended, due = map(int, numbers)
        return cls(key.decode(), cast(StepState, state), kind, turn, attempts, started, ended, due, payload)

    @property
    def text(self) -> bytes:
        """As `parse` reads it."""
        numbers = self.turn, self.attempts, self.started, self.ended, self.due
        return " ".join([self.state, self.kind, *map(str, numbers)]).encode() + b"\n" + self.payload


@dataclass(frozen=True, slots=True)
class RunRecord:
    """A run's header. Times in ms UTC, 0 when not (yet) so; `output` and `error` are JSON.

    `ran`: versions that it was leased by, once there was another than `version`. `drift`: recorded steps that it has
    not asked for to its end. `progress`: how far it says to have come, JSON. Those three, `output` and `error` are only
    there when the whole header was read. `ready`: when it was last put back into its lane; `leased`: when it was last
    leased, 0 when it is ready since then.
    """

    id: str
    status: Status
    lane: str
    event: str
    version: str
    token: str
    turn: int
    steps: int
    bytes: int
    pending: int
    crashes: int
    attempt: int
    notbefore: int
    cancel: int
    created: int
    started: int
    ended: int
    output: Raw
    error: Raw
    options: str = "-"
    link: str = ""
    ran: tuple[str, ...] = ()
    drift: tuple[str, ...] = ()
    progress: Raw = b""
    ready: int = 0
    leased: int = 0

    @property
    def versions(self) -> tuple[str, ...]:
        """The versions of its app that have executed it, in their order."""
        return self.ran or ((self.version,) if self.started else ())

    @property
    def parent(self) -> tuple[str, str] | None:
        """Run and step that have invoked it."""
        what, _, rest = self.link.partition(" ")
        run, _, key = rest.partition(" ")
        return (run, key) if what == "invoke" else None

    @property
    def rerun_of(self) -> str | None:
        """The run that it does again."""
        what, _, run = self.link.partition(" ")
        return run if what == "rerun" else None

    @property
    def function(self) -> str:
        """As `app/function`."""
        return self.lane.split("|", 1)[0]

    @property
    def ready_lane(self) -> str:
        """Where it waits when it is ready: its lane, or that of the suspects; see `SUSPECT`."""
        return self.lane if self.crashes < SUSPECT else self.lane.replace(self.function, f"{self.function}!", 1)

    @classmethod
    def parse(cls, run: str, header: Mapping[Raw, Raw]) -> Self:
        """Reads the header hash, whose packed fields lua/include/heads.lua explains."""
        head, info = header[b"h"].decode().split(" "), header[b"i"].decode().split(" ", 5)
        ran = tuple(header.get(b"v", b"").decode().split())
        drift: list[str] = decode(header[b"drift"]) if b"drift" in header else []
        known = cls._of(run, head, info, header.get(b"o", b""), header.get(b"err", b""))
        progress = header.get(b"p", b"")
        more = ran or drift or progress
        return replace(known, ran=ran, drift=tuple(drift), progress=progress) if more else known

    @classmethod
    def told(cls, line: Raw) -> Self | None:
        """Reads what lua/include/ending.lua tells of a run that has ended; `None` when that is only how."""
        run, event, *fields = line.split(b" ", 19)
        if len(fields) == 1:
            return None
        *head, created, version, lane = [field.decode() for field in fields[:17]]
        failed = head[0] in (Status.FAILED, Status.CANCELLED)
        output, error = (b"", fields[17]) if failed else (fields[17], b"")
        return cls._of(run.decode(), head, (created, version, event.decode(), lane), output, error)

    @classmethod
    def _of(cls, run: str, head: Sequence[str], info: Sequence[str], output: Raw, error: Raw) -> Self:
        status, token, _seq, _answer, *numbers = head
        *numbers, times, ended = numbers
        turn, steps, size, pending, crashes, attempt, notbefore, cancel = map(int, numbers)
        started, ready, leased = _times(times)
        created, version, event, lane, options, link = [*info, *("-", "")[len(info) - 4 :]]
        return cls(
            id=run,
            status=Status(status),
            lane=lane,
            event=event,
            version=version,
            token=token,
            turn=turn,
            steps=steps,
            bytes=size,
            pending=pending,
            crashes=crashes,
            attempt=attempt,
            notbefore=notbefore,
            cancel=cancel,
            created=int(created),
            started=started,
            ended=int(ended),
            output=output,
            error=error,
            options=options,
            link=link,
            ready=ready,
            leased=leased,
        )


def _times(text: str) -> tuple[int, int, int]:
    """When a run was first leased, last made ready, and last leased: "started", behind it "+later", and again."""
    started, *later = map(int, text.split("+"))
    if not later:
        return started, 0, started
    ready = started + later[0]
    return started, ready, ready + later[1] if len(later) > 1 else 0


@dataclass(frozen=True, slots=True)
class Lease:
    """A run a session may advance. `rows` is `None` when they are too large to come with the lease.

    `others`: events of its batch behind the first.
    """

    run: str
    token: str
    lane: str
    turn: int
    steps: int
    attempt: int
    crashes: int
    version: str
    event: EventRecord
    rows: tuple[StepRow, ...] | None
    others: tuple[EventRecord, ...] = ()

    @property
    def events(self) -> tuple[EventRecord, ...]:
        """All of its batch, in order of arrival."""
        return (self.event, *self.others)

    @property
    def function(self) -> str:
        """As `app/function`."""
        return self.lane.split("|", 1)[0]
