"""Signals: what one step at a time waits for by a name, and somebody gives to it by that."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

from stepwell.functions.errors import NonRetriable
from stepwell.platform.clock import Clock
from stepwell.platform.codec import encode
from stepwell.platform.engine.partition import Partition
from stepwell.platform.engine.runs import Runs
from stepwell.platform.ids import digest_of, home_of, partition_of
from stepwell.platform.reading.headers import header_of

KIND = "wait_for_signal"
"""Of steps that wait for one."""
ANYBODY = "*"
TRIES = 5
BEGINNING = 60_000
"""Ms that it may take from having a signal to having it recorded that the step waits."""
AFTERWARDS = 86_400_000
"""Ms for which it is kept who had a signal, after the time of the wait."""


class SignalTaken(NonRetriable):
    """Another step waits for the signal already."""


@dataclass(frozen=True, slots=True)
class Holder:
    """A step that has a signal. `since`: ms UTC."""

    run: str
    since: int
    key: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """From what is kept of it."""
        run, since, key = text.split(" ", 2)
        return cls(run, int(since), key)

    def __str__(self) -> str:
        return f"{self.run} {self.since} {self.key}"


class Signals:
    """The signals of an installation. Its methods raise `StepwellError`.

    Args:
        partitions: all of them.
        runs: those of each.
        clock: theirs.
    """

    __slots__ = ("_clock", "_partitions", "_runs")

    def __init__(self, partitions: Sequence[Partition], runs: Sequence[Runs], clock: Clock) -> None:
        self._partitions = partitions
        self._runs = runs
        self._clock = clock

    async def claim(self, signal: str, run: str, key: str, until: int, *, replace: bool) -> None:
        """Has a step be the one that waits for a signal, until a time in ms UTC; to be done before it waits.

        `replace`: who waits for it so far gets it no more. Raises `SignalTaken` without.
        """
        mine, life = Holder(run, self._clock.now(), key), max(0, until - self._clock.now()) + AFTERWARDS
        known = ANYBODY if replace else ""
        for _ in range(TRIES):
            answer = await self._claim(signal, str(mine), known, life)
            if answer == str(mine):
                return
            other = Holder.parse(answer)
            if (other.run, other.key) != (run, key) and await self._waits(other):
                raise SignalTaken(f"step {key!r}: run {other.run} waits for the signal {signal!r:.200} already")
            known = answer
        raise SignalTaken(f"step {key!r}: others keep taking the signal {signal!r:.200}")

    async def send(self, signal: str, data: Any) -> str | None:
        """Ends the wait for a signal; gives the run that it was of, `None` when nobody waits."""
        home = self._home(signal)
        held: bytes | None = await home.read("GET", home.keys.name("k_signal", digest_of(signal)))
        if held is None:
            return None
        holder = Holder.parse(held.decode())
        payload = encode({"signal": signal, "data": data})
        answer = await self._runs[partition_of(holder.run)].resolve(holder.run, holder.key, ok=True, payload=payload)
        if answer != "OK":
            return None
        await self._claim(signal, "", held.decode(), 1)
        return holder.run

    async def _claim(self, signal: str, holder: str, known: str, life: int) -> str:
        items = [(digest_of(signal), holder, known, life)]
        [answer] = await self._home(signal).script("claim", items=items)
        return bytes(answer).decode()

    async def _waits(self, holder: Holder) -> bool:
        """Whether a step that has a signal does wait for it, or is about to."""
        home = self._partitions[partition_of(holder.run)]
        record = await header_of(home, holder.run)
        if record is None or record.status.ended:
            return False
        row: bytes | None = await home.read("HGET", home.keys.name("k_steps", holder.run), holder.key)
        if row is None:
            return self._clock.now() - holder.since < BEGINNING
        return row.startswith(b"pending ")

    def _home(self, signal: str) -> Partition:
        return self._partitions[home_of(signal, len(self._partitions))]
