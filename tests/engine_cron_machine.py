"""The stateful test of schedules: several servers, whose clocks differ and jump, each call late, twice, or cut off.

Every script that is called is written down, and checked, in a `Ledger`; at rest it is compared with what Redis has.
"""

from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import initialize

from stepwell.functions.protocol import Manifest
from stepwell.platform.clock import ManualClock
from stepwell.platform.cron.crons import Crons
from stepwell.platform.cron.firing import firing
from stepwell.platform.cron.schedule import Schedule
from stepwell.platform.cron.schedules import Schedules
from stepwell.platform.cron.state import ScheduleState
from stepwell.platform.engine.answers import Stale
from stepwell.platform.engine.leases import Leases
from stepwell.platform.engine.partition import Partition, partitions_of
from stepwell.platform.errors import StoreUnavailable
from stepwell.platform.ids import home_of, partition_of
from stepwell.platform.records import Lease
from stepwell.platform.registry import Registry
from tests.engine_bench import CRASH_LIMIT, PATIENCE, ROUNDS, Place, tick_until_quiet
from tests.engine_cron_ledger import MINUTE, Ledger, Witness, times
from tests.engine_gates import Gate, Process
from tests.engine_moves import PICK, Moves, move

FUNCTIONS = ["app/a", "app/b", "app/c"]
NAME = st.sampled_from("abc")
CRONS = st.sampled_from([["*/1 * * * *"], ["*/1 * * * *"], ["*/2 * * * *"], ["*/2 * * * *", "*/3 * * * *"]])
OPTIONS = st.fixed_dictionaries(
    {
        "jitter": st.sampled_from([0, 0, 20_000, 90_000]),
        "overlap": st.sampled_from(["allow", "skip", "queue", "cancel_old"]),
        "catch_up": st.sampled_from(["none", "last", "all"]),
        "window": st.sampled_from([0, 5 * MINUTE, 80 * MINUTE]),
    }
)
LEAPS = st.sampled_from([0, 0, -5_000, -1_000, 2_000, 5_000, 6 * MINUTE])
SERVERS = 3
LATER = 7 * MINUTE
"""Ms after which no clock is still ahead."""


class Skewed(ManualClock):
    """A clock that is ahead of another, or behind it, by `skew` ms."""

    def __init__(self, true: ManualClock) -> None:
        super().__init__()
        self._true = true
        self.skew = 0

    def now(self) -> int:
        """See `Clock`."""
        return self._true.now() + self.skew

    def argument(self) -> str:
        """See `Clock`."""
        return str(self.now())


class Server:
    """One of the processes that fire schedules, with what it knows of the registry."""

    def __init__(self, gate: Gate, clock: Skewed, ledger: Ledger) -> None:
        self.gate = gate
        self.clock = clock
        self.witness = Witness(ledger)
        gate.watch = self.witness.saw
        self.partitions = partitions_of(gate, clock)
        self.registry = Registry(self.partitions)
        self.schedules = Schedules(self.partitions, self.registry)
        self.busy: Process | None = None

    def crons(self, home: int) -> Crons:
        """That of a partition."""
        return Crons(self.partitions[home], self.registry, len(self.partitions), PATIENCE)


class CronMachine(Moves):
    """Subclass with a `bench`."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = ManualClock()
        self.wanted: dict[str, dict[str, Any]] = {}
        self.leases: dict[str, Lease] = {}
        self.do = self.bench.run

    @initialize(crons=CRONS, options=st.tuples(OPTIONS, OPTIONS))
    def begin(self, crons: list[str], options: tuple[dict[str, Any], dict[str, Any]]) -> None:
        self.do(self._begin())
        self._want("a", ["*/1 * * * *"], options[0])
        self._want("b", crons, options[1])
        self.do(self._register_all())
        self.do(self._settle())

    async def _begin(self) -> None:
        await self.bench.store.call(0, "FLUSHALL")
        self.partitions = partitions_of(self.bench.store, self.clock)
        self.places = [Place(partition, self.clock) for partition in self.partitions]
        for place in self.places:
            place.leases = Leases(place.partition, 1 << 40, CRASH_LIMIT)
        self.ledger = Ledger(self.partitions)
        self.servers = [self._server() for _ in range(SERVERS)]

    def _server(self) -> Server:
        clock = Skewed(self.clock)
        return Server(self.bench.gate(clock), clock, self.ledger)

    def _busy(self, number: int) -> Server | None:
        busy = [server for server in self.servers if server.busy]
        return busy[number % len(busy)] if busy else None

    def _give(self, number: int, work: Callable[[Server], Coroutine[Any, Any, Any]]) -> None:
        """Lets a server that does nothing else begin with some work."""
        idle = [server for server in self.servers if not server.busy]

        async def begin(server: Server) -> None:
            server.busy = Process(server.gate, self._bear(work(server)))

        if idle:
            self.do(begin(idle[number % len(idle)]))

    async def _bear(self, work: Coroutine[Any, Any, Any]) -> None:
        with suppress(StoreUnavailable):  # the registry keeps changing
            await work

    # Servers.

    @move(5, number=PICK, where=PICK)
    def look(self, number: int, where: int) -> None:
        self._give(number, lambda server: server.crons(where % len(self.partitions)).tick())

    @move(6, number=PICK)
    def fire(self, number: int) -> None:
        """A server fires all that is due, undisturbed."""
        idle = [server for server in self.servers if not server.busy]
        if idle:
            self.do(self._fire(idle[number % len(idle)]))

    async def _fire(self, server: Server) -> None:
        for home in range(len(self.partitions)):
            await Process(server.gate, server.crons(home).tick()).finish()

    @move(8, number=PICK, which=PICK, calls=st.sampled_from([1, 2, 4, 16]), twice=st.booleans())
    def go_on_with_work(self, number: int, which: int, calls: int, twice: bool) -> None:
        server = self._busy(number)
        if server and server.busy:
            for _ in range(calls):
                self.do(server.busy.step(which, twice=twice))
            if server.busy.task.done():
                server.busy = None

    @move(2, number=PICK, which=PICK, after=st.booleans())
    def cut_off(self, number: int, which: int, after: bool) -> None:
        server = self._busy(number)
        if server and server.busy:
            self.do(self._replace(server, server.busy.die(which, after=after)))

    async def _replace(self, server: Server, death: Coroutine[Any, Any, None]) -> None:
        await death
        self.servers[self.servers.index(server)] = self._server()

    @move(1, number=PICK, skew=LEAPS)
    def clock_jumps(self, number: int, skew: int) -> None:
        self.servers[number % SERVERS].clock.skew = skew

    @move(9, ms=st.sampled_from([1_000, 30_000, MINUTE, MINUTE, MINUTE, 90_000, 3 * MINUTE, 90 * MINUTE]))
    def pass_time(self, ms: int) -> None:
        self.clock.advance(ms)

    # Registrations.

    @move(1, name=NAME, crons=CRONS, options=OPTIONS)
    def deploy(self, name: str, crons: list[str], options: dict[str, Any]) -> None:
        self._want(name, crons, options)
        self._give(0, self._register())

    def _want(self, name: str, crons: list[str], options: dict[str, Any]) -> None:
        triggers = [{"cron": cron, **options} for cron in crons]
        self.wanted[name] = {"id": name, "triggers": triggers, "retries": {"times": 0}}

    @move(1, name=NAME)
    def withdraw(self, name: str) -> None:
        self.wanted.pop(name, None)
        self._give(0, self._register())

    def _register(self) -> Callable[[Server], Coroutine[Any, Any, Any]]:
        manifest = Manifest.model_validate({"id": "app", "version": "v1", "functions": [*self.wanted.values()]})
        return lambda server: server.registry.register(manifest)

    # Persons.

    def _one(self, number: int) -> str:
        ids = sorted(self.ledger.lives)
        return ids[number % len(ids)] if ids else "app/a/none"

    @move(4, number=PICK, which=PICK, what=st.sampled_from(["pause", "resume", "resume", "skip", "skip", "run"]))
    def steer(self, number: int, which: int, what: str) -> None:
        id = self._one(which)
        self._give(number, lambda server: getattr(server.schedules, what)(id))

    @move(1, number=PICK, which=PICK, back=st.integers(0, 9), most=st.integers(0, 9))
    def backfill(self, number: int, which: int, back: int, most: int) -> None:
        start = self.clock.now() - back * MINUTE
        id, end = self._one(which), min(start + most * MINUTE, self.clock.now() - 5_000)
        self._give(number, lambda server: self._backfill(server, id, start, end))

    async def _backfill(self, server: Server, id: str, start: int, end: int) -> None:
        done = await server.schedules.backfill(id, start, end)
        schedule = server.registry.snapshot.schedules.get(id)
        if done is None or schedule is None:
            return
        ours = {self._firing(server, schedule, when) for when in times(schedule, start, end)}
        assert ours <= self.ledger.runs.keys(), f"{done} has left some of {ours} out"
        assert set(done.runs) <= ours
        assert len(done.runs) + done.existing == len(ours)

    def _firing(self, server: Server, schedule: Schedule, when: int) -> str:
        function, count = server.registry.snapshot.functions[schedule.function], len(self.partitions)
        return firing(function, schedule, when, home_of(schedule.function, count), count).run

    # Runs.

    @move(2, where=PICK)
    def lease(self, where: int) -> None:
        self.do(self._lease(self.places[where % len(self.places)]))

    async def _lease(self, place: Place) -> None:
        place.seq += 1
        leases = await place.call("w", str(place.seq), *FUNCTIONS, count=2)
        self.leases |= {lease.run: lease for lease in leases}

    @move(3, number=PICK)
    def finish(self, number: int) -> None:
        if self.leases:
            run = list(self.leases)[number % len(self.leases)]
            self.do(self._finish(self.leases.pop(run)))

    async def _finish(self, lease: Lease) -> None:
        with suppress(Stale):
            await self.places[partition_of(lease.run)].finish(lease)

    @move(1)
    def tick(self) -> None:
        """Those that were asked to let go, and have not done so in time, are cancelled."""
        self.do(self._tick())

    async def _tick(self) -> None:
        for place in self.places:
            await tick_until_quiet(place.ticks)

    # At rest.

    @move(1)
    def rest(self) -> None:
        """A new server does all there is to do. Others may be under way, and go on later."""
        self.do(self._settle())

    async def _settle(self) -> None:
        server = self._server()
        await Process(server.gate, server.registry.load()).finish()
        for _ in range(3):
            await self._fire(server)
        for partition in self.partitions:
            await self._judge(partition)

    async def _judge(self, partition: Partition) -> None:
        read, name, at = partition.read, partition.keys.name, partition.index
        ours = {id for id, one in self.ledger.plan.items() if home_of(one.function, len(self.partitions)) == at}
        lives = {id: life for id, life in self.ledger.lives.items() if id in ours}
        assert lives.keys() == ours, "a schedule is not taken up"
        flat = await read("HGETALL", name("k_schedules"))
        known = {id.decode(): ScheduleState.parse(text) for id, text in zip(flat[::2], flat[1::2], strict=True)}
        assert known == {id: life.state for id, life in lives.items()}
        flat = await read("ZRANGE", name("k_crons"), 0, -1, "WITHSCORES")
        due = {id.decode(): int(float(ms)) for id, ms in zip(flat[::2], flat[1::2], strict=True)}
        assert due == {id: life.due for id, life in lives.items() if not life.paused}
        late = {id: ms for id, ms in due.items() if ms <= self.clock.now()}
        assert not late, f"{late} are due at {self.clock.now()}"
        held = {id.decode() for id in await read("SMEMBERS", name("k_crons_held"))}
        assert held == {id for id, life in lives.items() if life.held}
        for id in held:
            assert lives[id].paused or await self.ledger.under_way(at, lives[id].run), f"{id} does not go on"
        await self._judge_runs(partition)

    async def _judge_runs(self, partition: Partition) -> None:
        for function in FUNCTIONS:
            ids = await partition.read("ZRANGE", partition.keys.name("k_runs_of", function), 0, -1)
            if home_of(function, len(self.partitions)) == partition.index:
                assert {run.decode() for run in ids} == {run for run, of in self.ledger.runs.items() if of == function}
            else:
                assert not ids, f"{function} ran in {partition.index}"

    def teardown(self) -> None:
        if hasattr(self, "ledger"):
            self.do(self._end())

    async def _end(self) -> None:
        for server in self.servers:
            if server.busy:
                await server.busy.finish()
        await self._settle()
        self.wanted.clear()
        await self._register_all()
        await self._settle()
        await self._end_all_runs()
        for partition in self.partitions:
            for name in ("k_schedules", "k_crons", "k_crons_held", "k_event", "k_run", "k_steps", "k_live"):
                key = partition.keys.name(name)
                left = await partition.read("KEYS", f"{key}*" if key.endswith(":") else key)
                assert not left, f"{name} is left: {left}"

    async def _register_all(self) -> None:
        server = self._server()
        await Process(server.gate, self._register()(server)).finish()

    async def _end_all_runs(self) -> None:
        for run in self.ledger.runs:
            await self.places[partition_of(run)].runs.cancel(run)
        for _ in range(2):
            self.clock.advance(PATIENCE + LATER)
            await self._tick()
        for place in self.places:
            for _ in range(ROUNDS):
                if not await place.ticks.trim_runs(1):
                    break
            else:
                raise AssertionError("trimming has no end")
