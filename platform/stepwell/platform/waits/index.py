"""The lists of open waits and of events that were heard, each in the partition that the name of the event hashes to."""

from collections.abc import Sequence

from stepwell.platform.engine.partition import Partition
from stepwell.platform.ids import home_of, partition_of
from stepwell.platform.records import EventRecord
from stepwell.platform.waits.listing import Listing

MOST = 10_000
"""Events that are kept under one word."""
PAGE = 64
DAY = 86_400_000


class Index:
    """Lists of all partitions. `life`: ms for which events are kept. Its methods raise `StepwellError`."""

    __slots__ = ("_enlist", "_hear", "_partitions", "_unlist")

    def __init__(self, partitions: Sequence[Partition], life: int) -> None:
        self._partitions = partitions
        self._hear = [partition.group("hear", life + DAY, MOST) for partition in partitions]
        self._enlist = [partition.group("enlist") for partition in partitions]
        self._unlist = [partition.group("unlist") for partition in partitions]

    def home(self, name: str) -> int:
        """The partition of the lists of events of a name."""
        return home_of(name, len(self._partitions))

    async def hear(self, name: str, word: str, event: EventRecord) -> list[str]:
        """Notes an event, and gives the first page of the waits that it may end."""
        members = await self._hear[self.home(name)].add((word, event.id, str(event.position)))
        return [member.decode() for member in members]

    async def page(self, name: str, word: str, event: EventRecord, skip: int) -> list[str]:
        """A further page of the waits that an event may end."""
        home = self._partitions[self.home(name)]
        bounds = "-inf", f"({event.position}", "LIMIT", skip, PAGE
        members = await home.read("ZRANGEBYSCORE", home.keys.name("k_waits", word), *bounds)
        return [member.decode() for member in members]

    async def enlist(
        self, listing: Listing, who: str, after: int | None, ttl: int, *, last: bool
    ) -> list[tuple[str, int]] | None:
        """Lists a wait, unless events have come after the position `after`: these are to be looked at first.

        Args:
            listing: what is waited for.
            who: "run|step" or "run!number".
            after: `None` for now.
            ttl: ms after which the wait is over whatever happens; 0 for never.
            last: nothing else has to be done elsewhere for this wait.

        Returns:
            Events and their positions, oldest first; nothing when it is listed; `None` when it does not wait any more.
        """
        home = self.home(listing.name)
        here = partition_of(who[:26]) == home
        bound = "now" if after is None else str(after)
        answer = await self._enlist[home].add(
            (listing.word, listing.sign + who, int(here), bound, 0 if here else ttl, int(last))
        )
        match answer:
            case b"OK":
                return []
            case b"GONE":
                return None
            case _:
                return [(answer[at].decode(), int(float(answer[at + 1]))) for at in range(0, len(answer), 2)]

    async def unlist(self, name: str, word: str, member: str) -> None:
        """Takes a wait off the list that does not wait any more."""
        await self._unlist[self.home(name)].add((word, member))
