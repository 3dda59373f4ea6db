"""Leasing: asks a partition for runs as long as there is room for them."""

import asyncio
from collections.abc import Callable, Mapping, Sequence

import structlog

from stepwell.platform.engine.leases import Leased, Leases, SessionDead
from stepwell.platform.errors import StepwellError
from stepwell.platform.executor.session import Session
from stepwell.platform.records import Lease

MOST = 64
"""Runs, and functions, in one call."""
NAP = 2.0
"""Seconds after which ready runs are looked for without a hint: hints may be lost."""
PAUSE = 0.5
"""Seconds between tries while Redis is out of reach."""


class Room:
    """How many more runs a worker has room for; shared by everything that leases for it.

    Args:
        slots: runs at once.
    """

    __slots__ = ("_freed", "free")

    def __init__(self, slots: int) -> None:
        self.free = slots
        self._freed = asyncio.Event()

    async def take(self, bound: Callable[[], int]) -> int:
        """Waits for room, and takes up to 64 places of it, no more than `bound` says at that time."""
        while (count := min(MOST, self.free, bound())) <= 0:
            self._freed.clear()
            await self._freed.wait()
        self.free -= count
        return count

    def give_back(self, count: int) -> None:
        """Returns places."""
        self.free += count
        self.stir()

    def stir(self) -> None:
        """What bounds the room may have changed: those who wait for it look again."""
        self._freed.set()


class Leasing:
    """Brings runs of some functions from one partition.

    Args:
        leases: sessions of the partition.
        session: in whose name runs are leased.
        functions: as `app/function`, or `app/function!` for suspects.
        versions: of their apps, by the same names.
        room: taken before runs are leased, and given back by whoever `begin` handed them to.
        begin: takes each leased run; must not wait.
        bound: how many runs may be leased at the moment, whatever room there is, such as free threads.
    """

    __slots__ = (
        "_begin",
        "_bound",
        "_chunks",
        "_hint",
        "_leases",
        "_room",
        "_session",
        "_stopped",
        "_turn",
        "_versions",
        "functions",
    )

    def __init__(
        self,
        leases: Leases,
        session: Session,
        functions: Sequence[str],
        versions: Mapping[str, str],
        room: Room,
        begin: Callable[[Lease], None],
        bound: Callable[[], int],
    ) -> None:
        self.functions = functions
        self._leases = leases
        self._session = session
        self._chunks = [functions[at : at + MOST] for at in range(0, len(functions), MOST)]
        self._room = room
        self._begin = begin
        self._bound = bound
        self._hint = asyncio.Event()
        self._turn = 0
        self._versions = versions
        self._stopped = False

    def stop(self) -> None:
        """Leases no more; what a call under way brings is still handed over."""
        self._stopped = True
        self._hint.set()

    def wake(self) -> None:
        """Runs may be ready: look now."""
        self._hint.set()

    async def run(self) -> None:
        """Leases until cancelled or stopped, or until the session is dead."""
        while not (self._stopped or self._session.dead.is_set()):
            try:
                await self._lease()
            except SessionDead:
                self._session.dead.set()

    async def _lease(self) -> None:
        self._hint.clear()
        more = False
        for _ in self._chunks:
            count = await self._room.take(self._bound)
            if self._stopped:
                self._room.give_back(count)
                return
            leased = await self._call(count)
            more = more or leased.more or len(leased.leases) == count
        if not more:
            await self._nap()

    async def _call(self, count: int) -> Leased:
        """One lease call, repeated as it is until it is answered: only then is it known what was leased."""
        functions = self._chunks[self._turn % len(self._chunks)]
        self._turn += 1
        call = self._session.next_call()
        unused = count
        try:
            while (leased := await self._try(call, count, functions)) is None:
                pass
            unused -= len(leased.leases)
        finally:
            self._room.give_back(unused)
        for lease in leased.leases:
            self._begin(lease)
        return leased

    async def _try(self, call: str, count: int, functions: Sequence[str]) -> Leased | None:
        try:
            return await self._leases.lease(self._session.id, call, count, functions, self._versions)
        except StepwellError as error:
            structlog.get_logger().warning("lease_failed", error=str(error))
            await asyncio.sleep(PAUSE)
            return None

    async def _nap(self) -> None:
        # Half the price of asyncio.timeout, which a run that comes alone would feel.
        timer = asyncio.get_running_loop().call_later(NAP, self._hint.set)
        try:
            await self._hint.wait()
        finally:
            timer.cancel()
