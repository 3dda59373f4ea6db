"""The lists of open waits and of events that were heard, each in the partition that the name of the event hashes to."""

from collections.abc import Sequence

from stepwell.platform.engine.partition import Partition
from stepwell.platform.ids import home_of, partition_of
from stepwell.platform.records import EventRecord
from stepwell.platform.waits.listing import Listing

MOST = 10_000
"""Events that are kept under one word."""
PAGE = 64
STEPS = 1_024
"""Positions in a ms; see lua/include/position.lua."""
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

    def beginning(self, position: int) -> int:
        """The position behind which events count for a run whose own event is at `position`.

        Positions of two partitions tell no more than the ms, in which an event rather counts than not.
        """
        return position if len(self._partitions) == 1 else (position + 1) // STEPS * STEPS - 1

    def since(self, position: int) -> int:
        """The same for a wait that began when `position` was the last one."""
        return position if len(self._partitions) == 1 else self.beginning(position + 1)

    async def hear(self, word: str, event: EventRecord) -> tuple[int, list[str]]:
        """Notes an event, and gives its position under the word and the first page of the waits that it may end."""
        position, *members = await self._hear[self.home(event.name)].add((word, event.id, str(event.position)))
        return int(position), [member.decode() for member in members]

    async def scan(self, word: str, event: EventRecord, position: int, cursor: bytes) -> tuple[bytes, list[str]]:
        """Some of all waits that an event may end, and the cursor of the others, `b"0"` when there are none.

        A wait that is listed all the while is met at least once, whatever comes and goes beside it.
        """
        home = self._partitions[self.home(event.name)]
        cursor, flat = await home.read("ZSCAN", home.keys.name("k_waits", word), cursor, "COUNT", PAGE)
        members = zip(flat[::2], flat[1::2], strict=True)
        return cursor, [member.decode() for member, after in members if float(after) < position]

    async def enlist(self, listing: Listing, who: str, after: int, *, last: bool) -> list[tuple[str, int]] | None:
        """Lists a wait, unless events have come after the position `after`: these are to be looked at first.

        Args:
            listing: what is waited for.
            who: "run|step" or "run!number".
            after: the position behind which events count.
            last: nothing else has to be done elsewhere for this wait.

        Returns:
            Events and their positions, oldest first; nothing when it is listed; `None` when it does not wait any more.
        """
        home = self.home(listing.name)
        here = partition_of(who[:26]) == home
        member = listing.sign + who
        answer = await self._enlist[home].add((listing.word, member, int(here), str(after), int(last)))
        match answer:
            case b"OK":
                return []
            case b"GONE":
                return None
            case _:
                return [(answer[at].decode(), int(float(answer[at + 1]))) for at in range(0, len(answer), 2)]

    async def unlist(self, home: int, word: str, member: str) -> None:
        """Takes a wait that is over off the list of a word in the partition `home`."""
        await self._unlist[home].add((word, member))
