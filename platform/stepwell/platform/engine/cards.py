"""What workers say of themselves, beside their sessions: for people to read, and nothing depends on it."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

from stepwell.platform.codec import decode, encode
from stepwell.platform.engine.partition import Partition

LIFE = 120
"""Seconds after which a card that is not renewed is gone."""
MOST_FUNCTIONS = 1_000
CALLS = "~"
"""What the ids of sessions begin with in which an app is called over HTTP."""


@dataclass(frozen=True, slots=True)
class Away:
    """That an app cannot be reached.

    Args:
        why: what happens on a call.
        since: ms UTC.
        until: when it is called again, ms UTC.
    """

    why: str
    since: int
    until: int


@dataclass(frozen=True, slots=True)
class Card:
    """A worker in its own words.

    Args:
        host: the name of its machine.
        pid: of the process that executes functions.
        apps: id -> version.
        functions: that it serves, as `app/function`; the first 1,000.
        slots: runs that it executes at once.
        started: ms UTC.
        stepwell: the version of Stepwell it runs.
        expiry: ms of silence after which it is taken for dead.
        suspects: it serves only runs that are suspected of having killed their worker.
        draining: it leases nothing more, and ends when what it executes is done.
        served: where its app is that it calls over HTTP; "" when it executes functions itself.
        away: there when that app cannot be reached.
    """

    host: str
    pid: int
    apps: dict[str, str]
    functions: tuple[str, ...]
    slots: int
    started: int
    stepwell: str
    expiry: int
    suspects: bool = False
    draining: bool = False
    served: str = ""
    away: Away | None = None

    @classmethod
    def parse(cls, text: bytes) -> Self:
        """Reads what `Cards.show` has written; what a later version says besides is left out."""
        said: dict[str, Any] = decode(text)
        known: dict[str, Any] = {name: said[name] for name in cls.__dataclass_fields__ if name in said}
        known["functions"] = tuple(said["functions"])
        if known.get("away"):
            known["away"] = Away(**known["away"])
        return cls(**known)


class Cards:
    """The cards of all workers, in the first partition. May raise `StepwellError`."""

    __slots__ = ("_first",)

    def __init__(self, first: Partition) -> None:
        self._first = first

    async def show(self, session: str, card: Card) -> None:
        """Puts down what the worker of a session says, for `LIFE` seconds."""
        await self._first.store.call(self._first.index, "SET", self._key(session), encode(asdict(card)), "EX", LIFE)

    async def take_back(self, session: str) -> None:
        """Removes the card of a worker that ends."""
        await self._first.store.call(self._first.index, "DEL", self._key(session))

    async def of(self, sessions: Sequence[str]) -> list[Card | None]:
        """Those of some sessions, in the order asked for; `None` of one that has none."""
        if not sessions:
            return []
        found: list[bytes | None] = await self._first.read("MGET", *map(self._key, sessions))
        return [Card.parse(text) if text else None for text in found]

    def _key(self, session: str) -> str:
        return self._first.keys.name("k_card", session)
