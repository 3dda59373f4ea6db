"""The stateful test of flow control: functions with any controls, which change while runs are queued and execute.

There is no second engine to compare with: each event, lease, and lane that waits is judged by a ledger of the history.
"""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import initialize

from stepwell.functions.protocol import FunctionManifest, Manifest
from stepwell.platform.clock import ManualClock
from stepwell.platform.engine.answers import Stale
from stepwell.platform.engine.leases import Leases
from stepwell.platform.engine.owner import Owner
from stepwell.platform.engine.partition import Partition, partitions_of
from stepwell.platform.engine.runs import Runs
from stepwell.platform.engine.ticks import Ticks
from stepwell.platform.flow.pausing import Pausing
from stepwell.platform.flow.refusal import Refusal
from stepwell.platform.ids import partition_of
from stepwell.platform.incoming import IncomingEvent
from stepwell.platform.outbox import Outbox
from stepwell.platform.reading.headers import headers_of
from stepwell.platform.records import EventRecord, Lease, RunRecord, Status
from stepwell.platform.registry import Registry
from tests.engine_bench import CRASH_LIMIT, EXPIRY, PATIENCE, deliver_all, tick_until_quiet
from tests.engine_flow_ledger import Ledger, Sent, Throttled
from tests.engine_moves import PICK, Moves, move
from tests.engine_waits_bench import ingest_over

NAMES: tuple[str, ...] = ("one", "two", "three")
FUNCTIONS = [f"app/{name}" for name in NAMES]
SERVED = [*FUNCTIONS, *(f"{function}!" for function in FUNCTIONS)]
LATER = 5_000
KEY, OTHER = "event.data.key", "event.data.other"
POOL = {"scope": "app", "name": "pool"}
LEFT = (
    "k_slots",
    "k_parked",
    "k_blocked",
    "k_lanes",
    "k_queue",
    "k_timers",
    "k_single",
    "k_live",
    "k_held",
    "k_outbox",
)

SHAPES = st.fixed_dictionaries(
    {
        "slots": st.sampled_from(
            [[], [{"key": KEY}], [{}], [{"key": KEY}, {"key": OTHER}], [POOL], [{"key": OTHER}, POOL]]
        ),
        "throttle": st.sampled_from([None, None, {"key": KEY}, {"key": OTHER}, {}]),
        "rate_limit": st.sampled_from([None, None, {"key": KEY, "period": 60_000}, {"period": 90_000}]),
        "gather": st.sampled_from(
            [
                None,
                None,
                ("debounce", {"key": KEY, "period": 3_000}),
                ("debounce", {"period": 3_000, "timeout": 8_000}),
                ("debounce", {"key": OTHER, "period": 3_000, "timeout": 4_000}),
                ("batch", {"key": KEY, "timeout": 5_000}),
                ("batch", {"timeout": 5_000, "if": "!event.data.urgent"}),
            ]
        ),
        "singleton": st.sampled_from([None, None, {"key": KEY}, {"key": OTHER}, {}]),
        "idempotency": st.sampled_from([None, None, None, {"key": "event.data.n", "period": 20_000}]),
        "fairness": st.sampled_from([None, {"key": OTHER}]),
    }
)
"""What a function has of each control, for the whole of a history: without numbers that deploys change."""

NUMBERS = st.fixed_dictionaries(
    {
        "limit": st.integers(1, 2),
        "throttle": st.sampled_from([(1, 1), (2, 1), (1, 2)]),
        "starts": st.integers(1, 4),
        "size": st.integers(2, 3),
        "mode": st.sampled_from(["skip", "cancel"]),
        "without": st.sampled_from(["", "", "slots", "throttle", "rate_limit", "gather", "idempotency", "fairness"]),
    }
)
"""What deploys change: limits, and controls that are taken away."""


def manifest_of(name: str, shape: Mapping[str, Any], numbers: Mapping[str, Any]) -> FunctionManifest:
    """A function with controls of this shape."""
    pooled = any("name" in slot for slot in shape["slots"])
    # What is shared stays what it is, so that no function moves to another partition.
    without = "" if numbers["without"] == "slots" and pooled else numbers["without"]
    kept = {control: None if control == without else value for control, value in shape.items()}
    function: dict[str, Any] = {"id": name, "triggers": [{"event": "go"}], "retries": {"times": 0}}
    slots: list[Mapping[str, Any]] = kept["slots"] or []
    function["concurrency"] = [{"limit": numbers["limit"], **slot} for slot in slots]
    function["priority"] = {"expression": "event.data.n"}
    function |= {name: kept[name] for name in ("idempotency", "fairness") if kept[name]}
    if kept["throttle"] is not None:
        limit, burst = numbers["throttle"]
        function["throttle"] = {**kept["throttle"], "limit": limit, "period": 40_000, "burst": burst}
    if kept["rate_limit"]:
        function["rate_limit"] = {**kept["rate_limit"], "limit": numbers["starts"]}
    if shape["singleton"] is not None:
        function["singleton"] = {**shape["singleton"], "mode": numbers["mode"]}
    if kept["gather"]:
        control, rest = kept["gather"]
        function[control] = {**rest, "max_size": numbers["size"]} if control == "batch" else rest
    return FunctionManifest.model_validate(function)


class FlowMachine(Moves):
    """Subclass with a `bench`."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = ManualClock()
        self.ledger = Ledger()
        self.leases: dict[str, tuple[Lease, frozenset[str]]] = {}
        self.seq = 0
        self.do = self.bench.run

    @initialize(shapes=st.tuples(SHAPES, SHAPES, SHAPES), numbers=NUMBERS)
    def begin(self, shapes: tuple[Mapping[str, Any], ...], numbers: Mapping[str, Any]) -> None:
        self.shapes = dict(zip(NAMES, shapes, strict=True))
        numbers = {**numbers, "without": ""}
        self.ledger.functions = {f"app/{name}": manifest_of(name, self.shapes[name], numbers) for name in NAMES}
        self.do(self._begin())

    async def _begin(self) -> None:
        store = self.bench.store
        await store.call(0, "FLUSHALL")
        self.partitions = partitions_of(store, self.clock)
        self.registry = Registry(self.partitions)
        self.pausing = Pausing(self.partitions, self.registry)
        self.ingest = ingest_over(self.partitions, self.registry, self.clock)
        self.runs = [Runs(partition, PATIENCE) for partition in self.partitions]
        self.owners = [Owner(partition, 1_000, 1 << 20) for partition in self.partitions]
        self.ticks = [Ticks(partition, EXPIRY, CRASH_LIMIT, PATIENCE) for partition in self.partitions]
        self.outboxes = [Outbox(partition, self.runs) for partition in self.partitions]
        await self._register()
        await self._tick()

    # Deploys.

    @move(2, name=st.sampled_from(NAMES), numbers=NUMBERS)
    def deploy(self, name: str, numbers: Mapping[str, Any]) -> None:
        """Limits are raised or lowered, or a control is taken away, or comes back."""
        mode = {"mode": self._mode(name)}
        self.ledger.functions[f"app/{name}"] = manifest_of(name, self.shapes[name], {**numbers, **mode})
        self.do(self._register())
        self.do(self._judge())

    def _mode(self, name: str) -> str:
        """That of its singleton stays: what executes when it becomes "cancel" has no slot that others wait for."""
        before = self.ledger.functions[f"app/{name}"].singleton
        return before.mode if before else "skip"

    async def _register(self) -> None:
        functions = [*self.ledger.functions.values()]
        await self.registry.register(Manifest(id="app", version="v1", functions=functions))

    @move(2, function=st.sampled_from(FUNCTIONS), mode=st.sampled_from(["keep", "hold", "drop", "-", "-", "-"]))
    def pause(self, function: str, mode: str) -> None:
        self.do(self._pause(function, mode))
        self.do(self._judge())

    async def _pause(self, function: str, mode: Any) -> None:
        if mode == "-":
            assert await self.pausing.resume(function)
            self.ledger.paused.pop(function, None)
        else:
            assert await self.pausing.pause(function, mode)
            self.ledger.paused[function] = mode

    # Events.

    @move(
        10,
        data=st.fixed_dictionaries(
            {"key": st.integers(1, 2), "other": st.integers(1, 2), "n": st.integers(0, 3), "urgent": st.booleans()}
        ),
        later=st.sampled_from([False, False, False, False, True]),
    )
    def event(self, data: dict[str, Any], later: bool) -> None:
        self.do(self._event(data, LATER if later else 0))
        self.do(self._judge())

    async def _event(self, data: dict[str, Any], later: int) -> None:
        self.clock.advance(1)
        before, now = await self._records(), self.clock.now()
        incoming = IncomingEvent("go", data, "", now + later if later else 0)
        [id] = await self.ingest.accept([incoming])
        await deliver_all(self.outboxes)
        event = Sent(id, data, now, now + later)
        self.ledger.events[id] = event
        record = await self._event_record(id)
        started = await headers_of(self.partitions, record.runs)
        found = {run.function: run.id for run in started if run}
        for function in FUNCTIONS:
            await self._judge_start(function, event, found.get(function), dict(record.refusals).get(function), before)

    async def _event_record(self, id: str) -> EventRecord:
        home = self.partitions[partition_of(id)]
        return EventRecord.parse(id, await home.read("GET", home.keys.name("k_event", id)))

    async def _judge_start(
        self, function: str, event: Sent, run: str | None, refusal: Refusal | None, before: dict[str, RunRecord]
    ) -> None:
        why = self.ledger.refusal(function, event, before)
        assert refusal == why, f"{event} is refused by {function}: {refusal}, not {why}"
        assert (run is None) == (why is not None), f"{event} has {run} of {function}, and {why}"
        if run is None:
            return
        joined, holder = self.ledger.joined(function, event, before), self.ledger.holder(function, event, before)
        assert run == joined if joined else run not in before, f"{event} has {run} of {function}, not {joined}"
        self.ledger.note(function, event, run, joined=joined is not None)
        if holder:
            [overtaken] = await headers_of(self.partitions, [holder])
            assert overtaken is None or overtaken.status.ended or overtaken.cancel, (
                f"{run} has not overtaken {overtaken}"
            )

    # Runs.

    @move(10, where=PICK, count=st.integers(1, 4))
    def lease(self, where: int, count: int) -> None:
        self.do(self._lease(where % len(self.partitions), count))
        self.do(self._judge())

    async def _lease(self, home: int, count: int) -> None:
        self.seq += 1
        ready, call = await self._ready(), f"s{home}:{self.seq}"
        leases = Leases(self.partitions[home], 1 << 40, CRASH_LIMIT)
        leased = (await leases.lease(f"s{home}", call, count, SERVED)).leases
        assert len(leased) <= count
        assert (await leases.lease(f"s{home}", call, count, SERVED)).leases == leased, "a repeat gives others"
        for lease in leased:
            self._judge_lease(lease, ready)

    async def _ready(self) -> dict[str, list[tuple[bool, int, str]]]:
        """Runs that may be leased, by their lanes, in their order."""
        lanes: dict[str, list[tuple[bool, int, str]]] = {}
        for run in (await self._records()).values():
            if run.status is Status.QUEUED and not run.notbefore:
                made = self.ledger.made[run.id]
                lanes.setdefault(run.ready_lane, []).append((not made.begun, made.created - made.prio * 1000, run.id))
        return {lane: sorted(runs) for lane, runs in lanes.items()}

    def _judge_lease(self, lease: Lease, ready: dict[str, list[tuple[bool, int, str]]]) -> None:
        made, now = self.ledger.made[lease.run], self.clock.now()
        [lane] = [lane for lane, runs in ready.items() if any(run == lease.run for *_, run in runs)]
        assert ready[lane].pop(0)[2] == lease.run, f"{lease.run} goes before its turn"
        mode = self.ledger.paused.get(made.function)
        assert mode != "keep", f"{lease.run} goes on although its function is paused"
        assert mode != "hold" or made.begun, f"{lease.run} begins although its function is paused"
        assert made.due <= now, f"{lease.run} begins before its time"
        wanted = made.events[-1:] if made.debounced else made.events
        assert [event.id for event in lease.events] == [event.id for event in wanted], f"{lease} is for other events"
        scopes = self.ledger.scopes(made.lane)
        for scope, limit in scopes.items():
            assert self.slots_held(scope) < limit, f"{lease.run} is one too many of {scope}"
        self.leases[lease.run] = lease, frozenset(scopes)
        if not made.begun:
            self.ledger.began(lease.run, now)

    def slots_held(self, scope: str) -> int:
        """By those that execute."""
        return sum(scope in scopes for _, scopes in self.leases.values())

    def held(self, number: int) -> Lease | None:
        """One of the runs that execute."""
        return list(self.leases.values())[number % len(self.leases)][0] if self.leases else None

    @move(
        8, number=PICK, what=st.sampled_from(["completed", "completed", "failed", "sleep", "sleep", "later", "release"])
    )
    def let_go(self, number: int, what: str) -> None:
        held = self.held(number)
        if held is not None:
            self.do(self._let_go(held, what))
            self.do(self._judge())

    async def _let_go(self, lease: Lease, what: str) -> None:
        """The run ends, sleeps, has its body tried again later, or is given back."""
        self.seq += 1
        owner, run, token = self.owners[partition_of(lease.run)], lease.run, lease.token
        del self.leases[run]
        with suppress(Stale):
            match what:
                case "sleep":
                    row = await owner.arm(
                        run, token, 1, f"nap {self.seq}", "sleep", delay=3_000, until=None, payload=b""
                    )
                    await owner.suspend(run, token, 2, row.turn or lease.turn)
                case "later":
                    await owner.retry_body(run, token, 1, delay=3_000, error=b"{}")
                case "release":
                    await owner.release(run, token, 1)
                case _:
                    await owner.finish(run, token, 1, what, b"{}")

    @move(2, number=PICK)
    def cancel(self, number: int) -> None:
        self.do(self._cancel(number))
        self.do(self._judge())

    async def _cancel(self, number: int) -> None:
        live = [run.id for run in (await self._records()).values() if not run.status.ended]
        if live:
            run = live[number % len(live)]
            await self.runs[partition_of(run)].cancel(run)

    @move(1, where=PICK, executing=st.booleans())
    def worker_dies(self, where: int, executing: bool) -> None:
        home = where % len(self.partitions)
        leases = Leases(self.partitions[home], 1 << 40, CRASH_LIMIT)
        self.do(leases.reap(f"s{home}", (), "executing" if executing else "idle"))
        self.do(self.partitions[home].read("ZREM", self.partitions[home].keys.name("k_dead"), f"s{home}"))
        self.leases = {run: lease for run, lease in self.leases.items() if partition_of(run) != home}
        self.do(self._judge())

    @move(6, ms=st.sampled_from([1, 1_000, 3_000, 5_000, 20_000, 31_000]))
    def pass_time(self, ms: int) -> None:
        self.clock.advance(ms)
        self.do(self._tick())
        self.do(self._judge(ticked=True))

    async def _tick(self) -> None:
        for ticks in self.ticks:
            await tick_until_quiet(ticks)

    # What must hold.

    async def _records(self) -> dict[str, RunRecord]:
        found = await headers_of(self.partitions, [*self.ledger.made])
        return {run.id: run for run in found if run}

    async def _judge(self, *, ticked: bool = False) -> None:
        runs = await self._records()
        assert runs.keys() == self.ledger.made.keys()
        self.leases = {run: held for run, held in self.leases.items() if runs[run].status is Status.RUNNING}
        for run in runs.values():
            self._judge_run(run, ticked=ticked)
        self._judge_places(runs)
        for partition in self.partitions:
            at_home = [run for run in runs.values() if partition_of(run.id) == partition.index]
            await Waiting(self, partition).judge(at_home)

    def _judge_run(self, run: RunRecord, *, ticked: bool) -> None:
        made = self.ledger.made[run.id]
        assert run.lane == made.lane, f"{run} is not in {made.lane}"
        assert (run.status is Status.RUNNING) == (run.id in self.leases), f"{run} executes nowhere"
        if run.status is Status.QUEUED and not run.started:
            assert run.notbefore in (made.due, 0), f"{run} begins at another time than {made}"
            assert run.notbefore or made.due <= self.clock.now(), f"{run} begins before its time"
            assert not (ticked and run.notbefore and made.due <= self.clock.now()), f"{run} was to begin at {made.due}"
        elif run.status is Status.WAITING and ticked:
            assert not run.notbefore or abs(run.notbefore) > self.clock.now(), f"{run} was to go on"

    def _judge_places(self, runs: Mapping[str, RunRecord]) -> None:
        places: dict[Any, str] = {}
        for run in runs.values():
            place = self.ledger.made[run.id].place
            if place and not run.status.ended and not run.cancel:
                assert place not in places, f"{run.id} and {places[place]} are both the only one of {place}"
                places[place] = run.id

    def teardown(self) -> None:
        if hasattr(self, "partitions"):
            self.do(self._end())

    async def _end(self) -> None:
        for function in FUNCTIONS:
            await self._pause(function, "-")
        runs: dict[str, RunRecord] = {}
        for _ in range(300):
            await self._tick()
            await self._judge(ticked=True)
            for home in range(len(self.partitions)):
                await self._lease(home, 16)
            for lease, _ in [*self.leases.values()]:
                await self._let_go(lease, "completed")
            runs = await self._records()
            if all(run.status.ended for run in runs.values()):
                break
            self.clock.advance(5_000)
        assert all(run.status.ended for run in runs.values()), f"runs do not end: {runs}"
        await self._nothing_is_left()

    async def _nothing_is_left(self) -> None:
        self.clock.advance(100_000)
        await self._tick()
        for partition in self.partitions:
            for name in LEFT:
                left = await partition.read("KEYS", f"{partition.keys.name(name)}*")
                assert not left, f"{name} is left: {left}"


class Waiting:
    """The lanes of a partition: each that has runs may be leased from, or waits for what will call it up."""

    def __init__(self, machine: FlowMachine, partition: Partition) -> None:
        self._machine = machine
        self._ledger = machine.ledger
        self._partition = partition
        self._active: set[str] = set()
        self._parked: dict[str, set[str]] = {}

    async def judge(self, runs: list[RunRecord]) -> None:
        """Raises when a run that is ready cannot be reached."""
        self._active = {lane for function in SERVED for lane in await self._members("k_lanes", function)}
        prefix = self._partition.keys.name("k_parked")
        scopes = [key.decode().removeprefix(prefix) for key in await self._partition.read("KEYS", f"{prefix}*")]
        self._parked = {scope: set(await self._members("k_parked", scope)) for scope in scopes}
        blocked, timers = await self._scores("k_blocked"), await self._scores("k_timers")
        ready = [run for run in runs if run.status is Status.QUEUED and not run.notbefore]
        for run in ready:
            assert run.id in await self._members("k_queue", run.ready_lane), f"{run} is in no lane"
        for lane in {run.ready_lane for run in ready} - self._active:
            begun = any(run.started for run in ready if run.ready_lane == lane)
            behind = [scope for scope, lanes in self._parked.items() if lane in lanes]
            found = any(self._blocks(scope, lane, begun, blocked, timers) for scope in behind)
            why = f"{blocked}, {timers}, {self._ledger.throttle(lane)} at {self._machine.clock.now()}"
            assert found, f"{lane} is called up by nobody; it waits for {behind}, with {why}"

    def _blocks(self, scope: str, lane: str, begun: bool, blocked: dict[str, float], timers: dict[str, float]) -> bool:
        if blocked.get(scope, 1 << 60) < self._machine.registry.snapshot.version:
            return True  # The next tick calls it up.
        if scope.startswith("pause|"):
            mode = self._ledger.paused.get(scope.removeprefix("pause|"))
            return mode == "keep" or (mode == "hold" and not begun)
        passed_on = any(scope in self._scopes(other) for other in self._active)
        throttle = self._ledger.throttle(lane)
        if throttle and throttle[0] == scope:
            paused = self._ledger.paused.get(lane.partition("|")[0].removesuffix("!")) in ("keep", "hold")
            return not begun and (paused or passed_on or self._in_time(throttle[1], timers.get(f"={scope}", 1 << 60)))
        limit = self._ledger.scopes(lane).get(scope)
        return limit is not None and (passed_on or self._machine.slots_held(scope) >= limit)

    def _in_time(self, throttle: Throttled, timer: float) -> bool:
        return timer <= throttle.due(self._machine.clock.now()) + 1

    def _scopes(self, lane: str) -> set[str]:
        throttle = self._ledger.throttle(lane)
        return {*self._ledger.scopes(lane), *([throttle[0]] if throttle else [])}

    async def _members(self, name: str, rest: str = "") -> list[str]:
        found: list[bytes] = await self._partition.read("ZRANGE", self._partition.keys.name(name, rest), 0, -1)
        return [member.decode() for member in found]

    async def _scores(self, name: str) -> dict[str, float]:
        flat: list[bytes] = await self._partition.read("ZRANGE", self._partition.keys.name(name), 0, -1, "WITHSCORES")
        return {member.decode(): float(score) for member, score in zip(flat[::2], flat[1::2], strict=True)}
