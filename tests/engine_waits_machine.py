"""The stateful test of waits: random histories, in which every errand is done late, twice, or cut off anywhere.

There is no second engine to compare with: what has become of each wait is judged by the history itself.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import initialize

from stepwell.functions.errors import LimitExceeded
from stepwell.functions.journal import LeaseLost
from stepwell.functions.protocol import Manifest
from stepwell.functions.waits import EventWait
from stepwell.platform.clock import ManualClock
from stepwell.platform.codec import decode, encode
from stepwell.platform.engine.answers import Stale
from stepwell.platform.engine.leases import Leases
from stepwell.platform.engine.owner import Elsewhere, Owner
from stepwell.platform.engine.partition import partitions_of
from stepwell.platform.engine.runs import Runs
from stepwell.platform.engine.ticks import Ticks
from stepwell.platform.executor.journal import RunJournal
from stepwell.platform.ids import home_of, partition_of
from stepwell.platform.incoming import IncomingEvent
from stepwell.platform.outbox import Outbox
from stepwell.platform.reading.headers import whole_of
from stepwell.platform.records import Lease, RunRecord, Status, StepRow
from stepwell.platform.registry import Registry
from tests.engine_bench import CRASH_LIMIT, EXPIRY, PATIENCE, deliver_all, tick_until_quiet
from tests.engine_gates import Process
from tests.engine_moves import PICK, Moves, move
from tests.engine_waits_bench import errands, errands_over, ingest_over

VALUE = st.integers(1, 2)
AWAITED = st.sampled_from(["said", "said", "told", "stop", "halt"])
START, FINISH, PERIOD, WITHIN = 5_000, 20_000, 30_000, 12_000
TOMBSTONES = 2 * 86_400_000 + 1
STOP = "async.data.id == event.data.id"
LARGE = "async.data.n > 3"
MANIFEST: dict[str, Any] = {
    "id": "app",
    "version": "v1",
    "functions": [
        {"id": "plain", "triggers": [{"event": "plain"}]},
        {
            "id": "stopped",
            "triggers": [{"event": "stopped"}],
            "cancel_on": [{"event": "stop", "if": STOP}, {"event": "halt", "if": LARGE, "within": WITHIN}],
        },
        {"id": "timed", "triggers": [{"event": "timed"}], "timeouts": {"start": START, "finish": FINISH}},
        {"id": "once", "triggers": [{"event": "once"}], "idempotency": {"key": "event.data.id", "period": PERIOD}},
        {"id": "self", "triggers": [{"event": "said"}], "cancel_on": [{"event": "said", "if": STOP}]},
    ],
}
FUNCTIONS = [f"app/{function['id']}" for function in MANIFEST["functions"]]
ERRANDS = ("k_waits", "k_arming", "k_matches", "k_ends", "k_strays", "k_tombstones", "k_timers", "k_outbox", "k_live")


@dataclass(frozen=True)
class Event:
    id: str
    name: str
    value: int
    n: int
    at: int


@dataclass
class Waited:
    """A wait as it was armed: for one of `names`, under a condition, and what earlier ones had taken.

    `since`: when the last event came that one just like it had taken.
    """

    run: str
    key: str
    names: tuple[str, ...]
    condition: str
    lookback: bool
    armed: int
    due: int
    taken: set[str]
    since: int = 0
    outcome: bytes | None = None
    event: str | None = None

    @property
    def mark(self) -> tuple[tuple[str, ...], str]:
        return self.names, self.condition


@dataclass
class Invoked:
    run: str
    key: str
    function: str
    detach: bool
    due: int


@dataclass
class History:
    events: dict[str, Event] = field(default_factory=dict[str, Event])
    waits: dict[tuple[str, str], Waited] = field(default_factory=dict[tuple[str, str], Waited])
    invokes: dict[tuple[str, str], Invoked] = field(default_factory=dict[tuple[str, str], Invoked])


class Silent(RunJournal):
    """Leaves what waits need done to others."""

    @property
    def owner(self) -> Owner:
        """For the writes that a journal does not make."""
        return self._owner

    async def _see_to(self, key: str, elsewhere: Elsewhere) -> None:
        pass


class WaitsMachine(Moves):
    """Subclass with a `bench`."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = ManualClock()
        self.history = History()
        self.leases: dict[str, tuple[Lease, Silent]] = {}
        self.zombies: list[tuple[Lease, Silent]] = []
        self.withdrawn: set[str] = set()
        self.processes: list[Process] = []
        self.made = 0
        self.do = self.bench.run

    @initialize()
    def begin(self) -> None:
        self.do(self._begin())

    async def _begin(self) -> None:
        store = self.bench.store
        await store.call(0, "FLUSHALL")
        self.partitions = partitions_of(store, self.clock)
        self.registry = Registry(self.partitions)
        await self.registry.register(self._manifest())
        self.ingest = ingest_over(self.partitions, self.registry, self.clock)
        self.waits = errands_over(self.partitions, self.registry, self.clock)
        self.runs = [Runs(partition, PATIENCE) for partition in self.partitions]
        self.ticks = [Ticks(partition, EXPIRY, CRASH_LIMIT, PATIENCE) for partition in self.partitions]
        self.outboxes = [Outbox(partition, self.runs) for partition in self.partitions]

    # Deploys.

    @move(1, name=st.sampled_from(["stopped", "timed", "once", "self"]))
    def deploy(self, name: str) -> None:
        """A function is withdrawn, or comes back. What it has begun is kept as it was promised."""
        self.withdrawn ^= {name}
        self.do(self._deploy())

    async def _deploy(self) -> None:
        gate = self.bench.gate(self.clock)
        registry = Registry(partitions_of(gate, self.clock))
        self.processes.append(Process(gate, registry.register(self._manifest())))

    def _manifest(self) -> Manifest:
        functions = [
            {**function, "retries": {"times": 0}}
            for function in MANIFEST["functions"]
            if function["id"] not in self.withdrawn
        ]
        return Manifest.model_validate({**MANIFEST, "functions": functions})

    # Events.

    @move(4, name=st.sampled_from(["plain", "plain", "stopped", "timed", "once", "said"]), value=VALUE, where=PICK)
    def start(self, name: str, value: int, where: int) -> None:
        self.do(self._send(name, value, 5, where))
        self.do(self._lease(where % len(self.partitions)))

    @move(6, name=AWAITED, value=VALUE, n=st.sampled_from([0, 5]), where=PICK)
    def event(self, name: str, value: int, n: int, where: int) -> None:
        self.do(self._send(name, value, n, where))

    async def _send(self, name: str, value: int, n: int, where: int) -> None:
        self.clock.advance(1)
        count = len(self.partitions)
        while True:
            self.made += 1
            if home_of(f"e{self.made}", count) == where % count:
                break
        data = {"id": value, "n": n}
        [event] = await self.ingest.accept([IncomingEvent(name, data, f"e{self.made}", self.clock.now())])
        self.history.events[event] = Event(event, name, value, n, self.clock.now())

    # Runs.

    @move(4, where=PICK)
    def lease(self, where: int) -> None:
        self.do(self._lease(where % len(self.partitions)))

    async def _lease(self, home: int) -> None:
        self.made += 1
        partition = self.partitions[home]
        leases = Leases(partition, 1 << 40, CRASH_LIMIT)
        leased = await leases.lease(f"s{home}", f"s{home}:{self.made}", 2, FUNCTIONS)
        for lease in leased.leases:
            owner = Owner(partition, max_steps=1_000, max_bytes=1 << 20)
            self.leases[lease.run] = lease, Silent(lease, owner, self.ingest, self.waits, 1 << 16)

    def held(self, number: int) -> tuple[Lease, Silent] | None:
        return list(self.leases.values())[number % len(self.leases)] if self.leases else None

    @move(
        7,
        number=PICK,
        names=st.sampled_from([("said",), ("said",), ("told",), ("said", "told")]),
        condition=st.sampled_from(["", STOP, f"{STOP} && {LARGE}", LARGE]),
        lookback=st.sampled_from([True, True, False]),
        delay=st.sampled_from([None, 3_000, 60_000]),
        more=st.fixed_dictionaries({"again": st.booleans(), "absolute": st.booleans(), "reach": st.booleans()}),
    )
    def wait(
        self,
        number: int,
        names: tuple[str, ...],
        condition: str,
        lookback: bool,
        delay: int | None,
        more: dict[str, bool],
    ) -> None:
        held = self.held(number)
        if held is None:
            return
        before = [wait for wait in self.history.waits.values() if wait.run == held[0].run]
        if more["again"] and before:
            names, condition = before[-1].mark
        self.do(self._wait(*held, names, condition, lookback, delay, absolute=more["absolute"]))
        if more["reach"]:
            self.do(self._suspend(*held))

    async def _wait(
        self,
        lease: Lease,
        journal: Silent,
        names: tuple[str, ...],
        condition: str,
        lookback: bool,
        delay: int | None,
        *,
        absolute: bool,
    ) -> None:
        self.made += 1
        key, now = f"wait|{self.made}", self.clock.now()
        until = now + delay if delay and absolute else None
        kind = "wait_for_event" if len(names) == 1 else "wait_for_any"
        waits = [EventWait(name, if_=condition or None, lookback=lookback) for name in names]
        await self._record_outcomes()
        like = [wait for wait in self.history.waits.values() if wait.run == lease.run and wait.condition == condition]
        taken = {wait.event for wait in like if wait.event}
        with suppress(LeaseLost):
            entries = names if len(names) > 1 else ()
            for_so_long = None if until else delay
            over = b"[0]" if entries else b"null"
            await journal.wait(key, kind, waits, delay=for_so_long, until=until, due=over, names=entries)
            due, since = now + delay if delay else 1 << 60, self._since(lease.run, (names, condition))
            self.history.waits[lease.run, key] = Waited(
                lease.run, key, names, condition, lookback, now, due, taken, since
            )

    def _since(self, run: str, mark: tuple[tuple[str, ...], str]) -> int:
        """When the last event came that a wait of the run has taken which was just like this one."""
        like = [wait.event for wait in self.history.waits.values() if (wait.run, wait.mark) == (run, mark)]
        return max([self.history.events[id].at for id in like if id in self.history.events], default=0)

    @move(
        3,
        number=PICK,
        function=st.sampled_from(["plain", "plain", "stopped", "once", "timed", "nothing"]),
        detach=st.sampled_from([False, False, True]),
        delay=st.sampled_from([None, None, 3_000, 60_000]),
        reach=st.booleans(),
    )
    def invoke(self, number: int, function: str, detach: bool, delay: int | None, reach: bool) -> None:
        held = self.held(number)
        if held is not None:
            self.do(self._invoke(*held, f"app/{function}", detach, delay))
            if reach:
                self.do(self._suspend(*held))

    async def _invoke(self, lease: Lease, journal: Silent, function: str, detach: bool, delay: int | None) -> None:
        self.made += 1
        key = f"call {self.made}"
        data = encode({"id": lease.event.data["id"], "n": 5})
        with suppress(LeaseLost, LimitExceeded):
            await journal.invoke(key, function, data, delay=delay, detach=detach)
            due = self.clock.now() + delay if delay else 1 << 60
            self.history.invokes[lease.run, key] = Invoked(lease.run, key, function, detach, due)

    @move(1, number=PICK)
    def suspend(self, number: int) -> None:
        held = self.held(number)
        if held is not None:
            self.do(self._suspend(*held))

    async def _suspend(self, lease: Lease, journal: Silent) -> None:
        self.leases.pop(lease.run, None)
        with suppress(Stale):
            await journal.owner.suspend(lease.run, lease.token, journal.next_seq(), lease.turn)

    @move(2, number=PICK, status=st.sampled_from(["completed", "completed", "failed", "cancelled"]))
    def finish(self, number: int, status: str) -> None:
        held = self.held(number)
        if held is not None:
            self.do(self._finish(*held, status))

    async def _finish(self, lease: Lease, journal: Silent, status: str) -> None:
        self.leases.pop(lease.run, None)
        body = b'"end"' if status == "completed" else b'{"type":"Why","message":"so","traceback":[]}'
        with suppress(Stale):
            await journal.owner.finish(lease.run, lease.token, journal.next_seq(), status, body)

    @move(1, number=PICK)
    def cancel(self, number: int) -> None:
        self.do(self._cancel(number))

    async def _cancel(self, number: int) -> None:
        live = [run.id for run in await self._all_runs() if not run.status.ended]
        if live:
            run = live[number % len(live)]
            await self.runs[partition_of(run)].cancel(run)

    @move(1, where=PICK)
    def worker_dies(self, where: int) -> None:
        home = where % len(self.partitions)
        leases = Leases(self.partitions[home], 1 << 40, CRASH_LIMIT)
        self.do(leases.reap(f"s{home}", (), "idle"))
        self.do(self.partitions[home].read("ZREM", self.partitions[home].keys.name("k_dead"), f"s{home}"))
        for run in [run for run in self.leases if partition_of(run) == home]:
            self.zombies.append(self.leases.pop(run))

    @move(2, number=PICK, what=st.sampled_from(["wait", "invoke", "finish", "suspend"]))
    def zombie_writes(self, number: int, what: str) -> None:
        """One that was taken for dead goes on; nothing of that is written down."""
        if self.zombies:
            self.do(self._zombie_writes(*self.zombies[number % len(self.zombies)], what))

    async def _zombie_writes(self, lease: Lease, journal: Silent, what: str) -> None:
        before = await self._keys(lease.run)
        with pytest.raises((Stale, LeaseLost)):
            await self._write(lease, journal, what)
        assert await self._keys(lease.run) == before, f"a zombie has written to {lease.run}"

    async def _write(self, lease: Lease, journal: Silent, what: str) -> None:
        self.made += 1
        key, owner, seq = f"zombie {self.made}", journal.owner, journal.next_seq()
        match what:
            case "wait":
                await journal.wait(key, "wait_for_event", [EventWait("said")], delay=None, until=None, due=b"null")
            case "invoke":
                await journal.invoke(key, "app/plain", b"{}", delay=None, detach=False)
            case "finish":
                await owner.finish(lease.run, lease.token, seq, "completed", b'"zombie"')
            case _:
                await owner.suspend(lease.run, lease.token, seq, lease.turn)

    async def _keys(self, run: str) -> tuple[object, ...]:
        """All that is known of a run, and who is to be told of its waits."""
        home = self.partitions[partition_of(run)]
        names = home.keys.name("k_run", run), home.keys.name("k_steps", run), home.keys.name("k_arming")
        found: list[list[bytes]] = [await home.read("HGETALL", name) for name in names]
        return tuple(sorted(zip(flat[::2], flat[1::2], strict=True)) for flat in found)

    @move(2, ms=st.sampled_from([1, 2_999, 3_000, 5_000, 20_000]))
    def pass_time(self, ms: int) -> None:
        self.clock.advance(ms)
        self.do(self._tick())

    async def _tick(self) -> None:
        for ticks in self.ticks:
            await tick_until_quiet(ticks)

    # Errands.

    @move(3, where=PICK)
    def begin_errands(self, where: int) -> None:
        async def begin() -> Process:
            gate = self.bench.gate(self.clock)
            return Process(gate, errands(gate, self.clock, self.registry, where % len(self.partitions)))

        if len(self.processes) < 3:
            self.processes.append(self.do(begin()))
            self.do(self.processes[-1].step(0))

    @move(7, number=PICK, which=PICK, calls=st.sampled_from([1, 2, 4, 8, 16]), twice=st.booleans())
    def go_on_with_errands(self, number: int, which: int, calls: int, twice: bool) -> None:
        if self.processes:
            process = self.processes[number % len(self.processes)]
            for _ in range(calls):
                self.do(process.step(which, twice=twice))
            if process.task.done():
                self.processes.remove(process)

    @move(2, number=PICK, which=PICK, after=st.booleans())
    def cut_errands_off(self, number: int, which: int, after: bool) -> None:
        if self.processes:
            process = self.processes.pop(number % len(self.processes))
            self.do(process.die(which, after=after))

    @move(2)
    def do_all_errands(self) -> None:
        """And judge: some may be under way in other processes, and go on later."""
        self.do(self._settle())
        self.do(self._judge())

    async def _settle(self) -> None:
        await self._tick()
        await deliver_all(self.outboxes)
        await self.waits.errands.empty()

    def teardown(self) -> None:
        if hasattr(self, "partitions"):
            self.do(self._end())

    async def _end(self) -> None:
        await self._settle()
        await self._judge()
        for process in self.processes:
            await process.finish()
        await self._settle()
        await self._judge()
        await self._end_all_runs()
        await self._judge()
        await self._nothing_is_left()

    async def _end_all_runs(self) -> None:
        for number, home in enumerate(range(len(self.partitions))):
            await self._lease(home)
            for held in list(self.leases.values()):
                await self._finish(*held, "completed" if number % 2 else "cancelled")
        for _ in range(3):
            for run in await self._all_runs():
                if not run.status.ended:
                    await self.runs[partition_of(run.id)].cancel(run.id)
            self.clock.advance(PATIENCE)
            await self._settle()

    # What must hold.

    async def _all_runs(self) -> list[RunRecord]:
        found: list[RunRecord | None] = []
        for partition in self.partitions:
            for function in FUNCTIONS:
                ids = await partition.read("ZRANGE", partition.keys.name("k_runs_of", function), 0, -1)
                found += [await whole_of(partition, run.decode()) for run in ids]
        return [run for run in found if run]

    async def _row(self, run: str, key: str) -> StepRow:
        home = self.partitions[partition_of(run)]
        return StepRow.parse(key.encode(), await home.read("HGET", home.keys.name("k_steps", run), key))

    async def _record_outcomes(self) -> None:
        for wait in self.history.waits.values():
            row = await self._row(wait.run, wait.key)
            outcome = None if row.state == "pending" else row.payload
            assert wait.outcome is None or wait.outcome == outcome, "an outcome has changed"
            wait.outcome = outcome
            told: Any = None if outcome is None else decode(outcome)
            if told and len(wait.names) > 1:
                _, told = told if len(told) == 2 else (0, None)
            wait.event = told["id"] if told else None

    async def _judge(self) -> None:
        await self._record_outcomes()
        runs = {run.id: run for run in await self._all_runs()}
        for wait in self.history.waits.values():
            self._judge_wait(wait, runs[wait.run], self._own(runs, wait.run))
        for invoke in self.history.invokes.values():
            await self._judge_invoke(invoke, runs)
        for run in runs.values():
            self._judge_controls(run, self._own(runs, run.id))
        self._judge_keys(runs)

    def _own(self, runs: dict[str, RunRecord], run: str) -> Event:
        """The event that started a run; that of a child is as old as itself, and has its parent's value."""
        record = runs[run]
        if record.event in self.history.events:
            return self.history.events[record.event]
        parent = self._own(runs, record.link.split(" ")[1])
        return Event(record.event, "inngest/function.invoked", parent.value, 5, record.created)

    def _fits(self, wait: Waited, own: Event, event: Event) -> bool:
        return (
            event.name in wait.names
            and (event.at > own.at if own.id in self.history.events else event.at >= own.at)
            and (STOP not in wait.condition or event.value == own.value)
            and (LARGE not in wait.condition or event.n > 3)
            and (wait.lookback or event.at >= wait.armed)
        )

    def _judge_wait(self, wait: Waited, run: RunRecord, own: Event) -> None:
        if wait.event:
            assert self.history.events[wait.event].at > wait.since, f"{wait} took what came before what another took"
            assert self._fits(wait, own, self.history.events[wait.event]), f"{wait} ended by the wrong event"
            assert wait.event not in wait.taken, f"{wait} took what another had taken"
        elif wait.outcome is not None:
            assert wait.due <= self.clock.now(), f"{wait} was over too early"
        elif not run.status.ended:
            assert wait.due > self.clock.now(), f"{wait} is not over"
            others = {other.event for other in self.history.waits.values() if other.run == wait.run}
            missed = [event for event in self._may_end(wait, own) if event.id not in others]
            assert not missed, f"{wait} missed {missed}"
        if len(self.partitions) == 1 and wait.event and wait.lookback and not wait.taken:
            oldest = next(self._may_end(wait, own))
            assert wait.event == oldest.id, f"{wait} of {run}, begun by {own}, did not take {oldest}"

    def _may_end(self, wait: Waited, own: Event) -> Iterator[Event]:
        # Events of the very ms count or not, as it falls out.
        exact = wait.armed if not wait.lookback else own.at
        found = sorted(self.history.events.values(), key=lambda event: event.at)
        return (event for event in found if self._fits(wait, own, event) and event.at > exact)

    async def _judge_invoke(self, invoke: Invoked, runs: dict[str, RunRecord]) -> None:
        children = [run for run in runs.values() if run.link == f"invoke {invoke.run} {invoke.key}"]
        assert len(children) <= 1, f"{invoke} has several children: {children}"
        row, parent = await self._row(invoke.run, invoke.key), runs[invoke.run]
        if not children:
            assert row.state == "failed" or parent.status.ended, f"{invoke} has no child"
            return
        [child] = children
        over = row.state != "pending"
        if over and _is_late(row):
            self._judge_late(invoke, row)
            return
        if not over and not parent.status.ended:
            assert invoke.due > self.clock.now(), f"{invoke} is not over"
        if not parent.status.ended:
            assert over == child.status.ended, f"{invoke}: the step is {row.state}, its child {child.status}"
        if over and child.status.ended:
            assert (row.state == "done") == (child.status is Status.COMPLETED), f"{invoke}: {row} of {child}"
        if parent.status is Status.CANCELLED and not over and not invoke.detach:
            assert child.status.ended or child.cancel, f"{invoke}: the child outlives its parent"

    def _judge_late(self, invoke: Invoked, row: StepRow) -> None:
        assert invoke.due <= row.ended, f"{invoke} was over too early: {row}"

    def _judge_controls(self, run: RunRecord, own: Event) -> None:
        now, stopping = self.clock.now(), list[Callable[[Event], bool]]()
        match run.function:
            case "app/stopped":
                stopping.append(lambda event: event.name == "stop" and event.value == own.value)
                stopping.append(lambda event: event.name == "halt" and event.n > 3 and event.at <= run.created + WITHIN)
            case "app/self":
                stopping.append(lambda event: event.name == "said" and event.value == own.value)
            case "app/timed" if not run.status.ended and not run.cancel:
                limit = run.started + FINISH if run.started else run.created + START
                assert now < limit, f"{run} is over its time"
            case _:
                pass
        since = [event for event in self.history.events.values() if event.at > own.at]
        stops = [event for event in since if any(stop(event) for stop in stopping)]
        if not run.status.ended and not run.cancel:
            assert not stops, f"{run} was to be cancelled by {stops}"
        if b"CancelledByEvent" in run.error:
            # For a child, an event of the ms in which it was created counts or not, as it falls out.
            same = [event for event in self.history.events.values() if event.at == own.at and event.id != own.id]
            assert stops or any(stop(event) for event in same for stop in stopping), f"{run} was cancelled by nothing"

    def _has_key(self, run: RunRecord) -> bool:
        """Whether it has the key of its function to itself."""
        return True

    def _judge_keys(self, runs: dict[str, RunRecord]) -> None:
        created: dict[int, list[int]] = {}
        for run in runs.values():
            if run.function == "app/once" and self._has_key(run):
                created.setdefault(self._own(runs, run.id).value, []).append(run.created)
        for times in created.values():
            ordered = sorted(times)
            assert all(two - one >= PERIOD for one, two in pairwise(ordered)), f"a key came again: {ordered}"

    async def _nothing_is_left(self) -> None:
        self.clock.advance(TOMBSTONES)  # of children that were held back by their key
        await self._tick()
        for partition in self.partitions:
            for name in ERRANDS:
                key = partition.keys.name(name)
                left = await partition.read("KEYS", f"{key}*" if key.endswith(":") else key)
                assert not left, f"{name} is left: {left}"


def _is_late(row: StepRow) -> bool:
    """Whether an invoke has failed by its own time."""
    return row.state == "failed" and "has not ended in time" in decode(row.payload)["message"]
