"""What is kept of a run's past beside its header and its steps; see lua/include/noting.lua."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from stepwell.platform.engine.partition import Partition

Outcome = Literal["suspended", "released", "crashed", "cancelled", "retrying", "completed", "failed"]
"""How a turn has ended."""
Act = Literal["retry", "wake", "resolve"]
"""What somebody has done by hand, as the command is called."""

TURNS: Mapping[str, Outcome] = MappingProxyType(
    {"s": "suspended", "r": "released", "x": "crashed", "c": "cancelled", "f": "retrying"}
)
ACTS: Mapping[str, Act] = MappingProxyType({"n": "retry", "w": "wake", "g": "resolve"})


@dataclass(frozen=True, slots=True)
class Turn:
    """The time of one lease. Times in ms UTC.

    Args:
        ready: when the run was put into its lane before.
        leased: when it was leased.
        ended: when the lease ended, 0 when it has not.
        token: of the lease.
        outcome: how it has ended, `None` when it has not.
        attempt: of the function, that has failed in it; 0 when none has.
        due: when it is tried again.
        error: why it has failed, JSON.
    """

    ready: int
    leased: int
    ended: int
    token: str
    outcome: Outcome | None
    attempt: int = 0
    due: int = 0
    error: bytes = b""

    @property
    def worker(self) -> str:
        """The session that had the lease."""
        return self.token.partition(":")[0]


@dataclass(frozen=True, slots=True)
class Try:
    """A failed attempt of a step. `due`: when it is tried again, 0 when it is not; `token`: of the lease."""

    step: str
    attempt: int
    started: int
    ended: int
    due: int
    error: bytes
    token: str = ""

    @property
    def crashed(self) -> bool:
        """Whether its worker has died meanwhile; such an attempt counts for nothing."""
        return bool(self.error) and not self.due

    @property
    def worker(self) -> str:
        """The session that has made it; empty when that is not known."""
        return self.token.partition(":")[0]


@dataclass(frozen=True, slots=True)
class ByHand:
    """What somebody has done to a run at a time; `step` is empty for the function."""

    what: Act
    at: int
    step: str


@dataclass(frozen=True, slots=True)
class Noted:
    """All of that, oldest first. `dropped` older entries had turns of together so many ms."""

    turns: tuple[Turn, ...]
    tries: tuple[Try, ...]
    acts: tuple[ByHand, ...]
    dropped: int
    dropped_queued: int
    dropped_ran: int


async def noted_of(partition: Partition, run: str, now: str) -> Noted:
    """What is kept of a run; `now`: the token of its last lease."""
    [counted] = await partition.read("HMGET", partition.keys.name("k_run", run), "hd")
    entries: list[bytes] = await partition.read("LRANGE", partition.keys.name("k_history", run), 0, -1)
    return noted(entries, counted, now)


def noted(entries: list[bytes], counted: bytes | None, now: str) -> Noted:
    """Reads the list, and field "hd" of a header."""
    dropped, queued, ran = map(int, (counted or b"0 0 0").split(b" "))
    turns, tries, acts = list[Turn](), list[Try](), list[ByHand]()
    # A try comes before the end of the turn that it was made in.
    token = now
    for entry in reversed(entries):
        head, _, rest = entry.partition(b"\n")
        how, *fields = head.decode().split(" ")
        if how in TURNS:
            turns.append(_turn(TURNS[how], fields, rest))
            token = turns[-1].token
        elif how in ACTS:
            acts.append(ByHand(ACTS[how], int(fields[0]), rest.decode()))
        else:
            tries.append(_try(fields, rest, token))
    return Noted(tuple(turns[::-1]), tuple(tries[::-1]), tuple(acts[::-1]), dropped, queued, ran)


def _turn(outcome: Outcome, fields: list[str], error: bytes) -> Turn:
    ended, queued, ran = map(int, fields[:3])
    attempt, due = map(int, fields[4:]) if len(fields) > 4 else (0, 0)
    return Turn(ended - ran - queued, ended - ran, ended, fields[3], outcome, attempt, due, error)


def _try(fields: list[str], rest: bytes, token: str) -> Try:
    ended, took, attempt, due, size = map(int, fields)
    return Try(rest[:size].decode(), attempt, ended - took, ended, due, rest[size:], token)


def by_step(tries: tuple[Try, ...]) -> Mapping[str, list[Try]]:
    """Key of a step -> its failed attempts."""
    found: dict[str, list[Try]] = {}
    for one in tries:
        found.setdefault(one.step, []).append(one)
    return found
