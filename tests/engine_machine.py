"""The stateful test of the engine: random transitions, repeated and by zombies, compared with the oracle after each."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from stepwell.platform.clock import ManualClock
from stepwell.platform.engine.answers import Conflict, Refusal, Stale
from stepwell.platform.engine.leases import Leases, SessionDead
from stepwell.platform.engine.owner import Owner
from stepwell.platform.engine.partition import Partition
from stepwell.platform.engine.runs import Runs
from stepwell.platform.engine.ticks import Ticks
from stepwell.platform.ids import digest_of, encode_id, run_id
from stepwell.platform.ingest import BUCKET, WINDOW
from stepwell.platform.records import RunRecord, StepRow
from stepwell.platform.store.keys import Keys
from stepwell.platform.store.store import Store
from tests.engine_bench import CRASH_LIMIT, EXPIRY, PATIENCE
from tests.engine_gates import Workbench
from tests.engine_moves import PICK
from tests.engine_oracle import DEPLOYS, FUNCTIONS, SUSPECT, Oracle, Run, Step

STEP_KEYS = st.sampled_from(["a", "b", "c|d", "!", "line\nfeed"])
REPEAT = st.booleans()
WORKER = st.integers(0, 2)
ALL = {name + mark for name in FUNCTIONS for mark in ("", "!")}


EVERYTHING = """
local found = {}
for _, key in ipairs(redis.call('KEYS', '*')) do
  local kind = redis.call('TYPE', key).ok
  if kind == 'hash' then found[#found + 1] = {key, redis.call('HGETALL', key)} end
  if kind == 'set' then found[#found + 1] = {key, redis.call('SMEMBERS', key)} end
  if kind == 'zset' then found[#found + 1] = {key, redis.call('ZRANGE', key, 0, -1, 'WITHSCORES')} end
end
return found
"""
"""In one call, because reading each key by itself takes most of the test's time."""


async def keyspace(store: Store) -> dict[str, list[bytes]]:
    """Every hash, set and sorted set, flat."""
    found: list[tuple[bytes, list[bytes]]] = await store.call(0, "EVAL", EVERYTHING, 0)
    return {key.decode(): flat for key, flat in found}


class EngineMachine(RuleBasedStateMachine):
    """Subclass with a `bench`."""

    bench: ClassVar[Workbench]

    def __init__(self) -> None:
        super().__init__()
        self.clock = ManualClock()
        self.oracle = Oracle()
        self.events: dict[str, str] = {}
        self.version = 0
        self.calls = 0
        self.seq = 0
        self.old_tokens: list[tuple[str, str]] = []
        self.heard: dict[str, list[tuple[str, str]]] = {}
        self.kept: dict[str, list[bytes]] = {}
        self.run_async = self.bench.run

    async def _open(self) -> None:
        self.store = self.bench.store
        await self.store.call(0, "FLUSHALL")
        self.partition = Partition(self.store, self.clock, 0, Keys(self.store.tags[0]))
        self.owner = Owner(self.partition, max_steps=1000, max_bytes=1 << 20)
        self.leases = Leases(self.partition, EXPIRY, CRASH_LIMIT)
        self.runs = Runs(self.partition, PATIENCE)
        self.ticks = Ticks(self.partition, EXPIRY, CRASH_LIMIT, PATIENCE)
        self.ingest = self.partition.group("ingest", WINDOW, BUCKET)
        await self._deploy()

    async def _deploy(self) -> None:
        self.version += 1
        items: list[tuple[str, str]] = []
        for function, limits in self.oracle.limits.items():
            names = [f"{function}#{index}" for index in range(len(limits))]
            items += [(function, " ".join(names))] if names else []
            items += [(f"#{name}", str(limit)) for name, limit in zip(names, limits, strict=True)]
        await self.partition.script("adopt", self.version, 0, items=items)

    # What it takes to draw and to repeat.

    def held(self) -> list[Run]:
        return [run for run in self.oracle.runs.values() if run.status == "running"]

    def session(self, worker: int) -> str:
        """The worker's present session: one that died is followed by another."""
        names = (f"s{worker}g{generation}" for generation in range(1_000))
        return next(name for name in names if name not in self.oracle.dead)

    def pick(self, runs: list[Run], number: int) -> Run:
        return runs[number % len(runs)]

    async def _outcome(self, work: Callable[[], Awaitable[Any]]) -> Any:
        try:
            return await work()
        except Refusal as refusal:
            return type(refusal)

    def do(self, work: Callable[[], Awaitable[Any]], repeat: bool) -> Any:
        """Does it, and when `repeat` does the very same again, as after a lost reply: the answer must be the same."""
        answer = self.run_async(self._outcome(work))
        if repeat:
            assert self.run_async(self._outcome(work)) == answer, "a repeated call was answered differently"
        return answer

    def write(self, run: Run, repeat: bool, work: Callable[[str, str, int], Awaitable[Any]]) -> Any:
        self.seq += 1
        token, seq = run.token, self.seq
        self.old_tokens.append((run.id, token))
        return self.do(lambda: work(run.id, token, seq), repeat)

    # Rules.

    @initialize()
    def open(self) -> None:
        """Begins with more runs than there are slots, some of them leased: so most rules find something to do."""
        self.run_async(self._open())
        for key in "xyxyxy":
            self.send("app/keyed", key, "", 0, False)
        for _ in range(3):
            self.send("app/single", "x", "", 0, False)
        for worker in range(3):
            self.lease_anything(worker, 2)

    @rule(
        function=st.sampled_from([*FUNCTIONS, "app/single", "app/keyed", "app/keyed"]),
        key=st.sampled_from("xy"),
        sender=st.sampled_from(["", "e1", "e2", "e3"]),
        delay=st.sampled_from([0, 0, 0, 3_000]),
        repeat=REPEAT,
    )
    def send(self, function: str, key: str, sender: str, delay: int, repeat: bool) -> None:
        now = self.clock.now()
        self.calls += 1
        event = encode_id(now, 0, self.calls)
        lane = self.oracle.lane(function, key)
        run = run_id(event, function, 0)
        due = now + delay if delay else 0
        item = (
            self.version,
            event,
            digest_of(sender) if sender else "",
            due,
            "",
            f"{run} {lane} v1 - - -",
            b'{"name":"n","data":{}}',
        )
        answer = self.run_async(self._send(item))
        first = self.events.get(sender)
        assert answer == ([b"DUP", first.encode()] if first else b"OK")
        if repeat:
            assert self.run_async(self._send(item)) in (answer, [b"DUP", (first or event).encode()])
        if not first:
            self.oracle.create(now, run, lane, due)
            if sender:
                self.events[sender] = event

    async def _send(self, item: tuple[Any, ...]) -> Any:
        return await self.ingest.add(item)

    @rule(limits=st.sampled_from(DEPLOYS))
    def deploy(self, limits: dict[str, list[int]]) -> None:
        """Limits change; the next tick calls up whoever they let in."""
        self.oracle.limits = limits
        self.run_async(self._deploy())
        self.advance_and_tick(1)

    @rule(
        worker=WORKER,
        count=st.integers(1, 4),
        functions=st.one_of(st.just(ALL), st.just(ALL), st.sets(st.sampled_from(sorted(ALL)), min_size=1)),
        repeat=REPEAT,
    )
    def lease(self, worker: int, count: int, functions: set[str], repeat: bool) -> None:
        session = self.session(worker)
        self.oracle.sessions[session] = self.clock.now() + EXPIRY
        leased = self._lease(session, count, functions, repeat)
        while 0 < leased < count:
            count -= leased
            leased = self._lease(session, count, functions, False)
        if leased < count:
            # Suspects share slots with the other lanes of their function, so both have to be asked for.
            asked = {name for name in functions if name.removesuffix("!") in functions}
            assert not self.oracle.startable(asked), "ready runs with free slots were not leased: a lost wake-up"

    @rule(worker=WORKER, count=st.integers(1, 4))
    def lease_anything(self, worker: int, count: int) -> None:
        """Often, for without leases there is little to do."""
        self.lease(worker, count, ALL, False)

    @precondition(lambda self: self.oracle.dead)
    @rule(number=PICK)
    def dead_session_leases(self, number: int) -> None:
        dead = sorted(self.oracle.dead)
        self.run_async(self._refused(dead[number % len(dead)], set(FUNCTIONS)))

    async def _refused(self, session: str, functions: set[str]) -> None:
        try:
            await self.leases.lease(session, f"{session}:zombie", 1, sorted(functions))
        except SessionDead:
            return
        raise AssertionError("a dead session was given runs")

    def _lease(self, session: str, count: int, functions: set[str], repeat: bool) -> int:
        self.calls += 1
        call = f"{session}:{self.calls}"
        answer = self.run_async(self.leases.lease(session, call, count, sorted(functions)))
        for lease in answer.leases:
            run = self.oracle.runs[lease.run]
            assert run in self.oracle.startable(functions), f"{run} was not to be leased"
            assert (lease.token, lease.turn, int(lease.attempt)) == (call, run.turn, run.attempt)
            assert {row.key: row.state for row in lease.rows or ()} == {k: s.state for k, s in run.steps.items()}
            self.oracle.leased(run.id, call)
        assert len(answer.leases) <= count
        if repeat and answer.leases:
            again = self.run_async(self.leases.lease(session, call, count, sorted(functions)))
            assert again.leases == answer.leases
        return len(answer.leases)

    @precondition(lambda self: self.held())
    @rule(number=PICK, key=STEP_KEYS, ok=st.booleans(), repeat=REPEAT)
    def checkpoint(self, number: int, key: str, ok: bool, repeat: bool) -> None:
        run = self.pick(self.held(), number)
        answer = self.write(
            run,
            repeat,
            lambda rid, token, seq: self.owner.checkpoint(
                rid, token, seq, key, "run", ok=ok, attempts=1, took=5, payload=b'"%d"' % seq
            ),
        )
        expected = self.oracle.checkpoint(run, key, ok, 1, b'"%d"' % self.seq)
        assert answer == (Conflict if expected == "CONFLICT" else expected)

    @precondition(lambda self: self.held())
    @rule(number=PICK, keys=st.lists(STEP_KEYS, min_size=2, max_size=3, unique=True))
    def checkpoint_together(self, number: int, keys: list[str]) -> None:
        """Outcomes recorded in one call share a turn, because their awaiting tasks wake together."""
        run = self.pick(self.held(), number)
        keys = [key for key in keys if key not in run.steps]
        answers = self.run_async(self._together(run, keys))
        if keys:
            before = run.turn
            for key in keys:
                run.turn = before
                self.oracle.checkpoint(run, key, True, 1, b"1")
            assert set(answers) == {before + 1}

    async def _together(self, run: Run, keys: list[str]) -> list[int]:
        self.seq += len(keys)
        writes = [
            self.owner.checkpoint(
                run.id, run.token, self.seq - n, key, "run", ok=True, attempts=1, took=0, payload=b"1"
            )
            for n, key in enumerate(keys)
        ]
        return list(await asyncio.gather(*writes))

    @precondition(lambda self: self.held())
    @rule(number=PICK, key=STEP_KEYS, delay=st.sampled_from([0, 1_500, 60_000]), absolute=st.booleans(), repeat=REPEAT)
    def arm(self, number: int, key: str, delay: int, absolute: bool, repeat: bool) -> None:
        run, due = self.pick(self.held(), number), self.clock.now() + delay
        row = self.write(
            run,
            repeat,
            lambda rid, token, seq: self.owner.arm(
                rid,
                token,
                seq,
                key,
                "sleep",
                delay=None if absolute else delay,
                until=due if absolute else None,
                payload=b"",
            ),
        )
        self.same_step(row, self.oracle.arm(self.clock.now(), run, key, due))

    @precondition(lambda self: self.held())
    @rule(
        number=PICK, key=STEP_KEYS, attempts=st.integers(1, 3), delay=st.sampled_from([0, 1_000, 40_000]), repeat=REPEAT
    )
    def retry_step(self, number: int, key: str, attempts: int, delay: int, repeat: bool) -> None:
        run = self.pick(self.held(), number)
        row = self.write(
            run,
            repeat,
            lambda rid, token, seq: self.owner.retry_step(
                rid, token, seq, key, "run", attempts=attempts, delay=delay, took=1, error=b'{"seq":%d}' % seq
            ),
        )
        expected = self.oracle.retry_step(self.clock.now(), run, key, attempts, delay, b'{"seq":%d}' % self.seq)
        self.same_step(row, expected)

    @precondition(lambda self: self.held())
    @rule(number=PICK, behind=st.integers(0, 1), within=st.sampled_from([0, 0, 2_500]), repeat=REPEAT)
    def suspend(self, number: int, behind: int, within: int, repeat: bool) -> None:
        run = self.pick(self.held(), number)
        seen = max(0, run.turn - behind)
        assert self.write(run, repeat, lambda r, t, s: self.owner.suspend(r, t, s, seen, within)) is None
        self.oracle.suspend(self.clock.now(), run, seen, within)

    @precondition(lambda self: self.held())
    @rule(number=PICK, delay=st.sampled_from([0, 2_000]), repeat=REPEAT)
    def retry_body(self, number: int, delay: int, repeat: bool) -> None:
        run = self.pick(self.held(), number)
        assert self.write(run, repeat, lambda r, t, s: self.owner.retry_body(r, t, s, delay=delay, error=b"{}")) is None
        self.oracle.retry_body(self.clock.now(), run, delay, b"{}")

    @precondition(lambda self: self.held())
    @rule(number=PICK, repeat=REPEAT)
    def release(self, number: int, repeat: bool) -> None:
        run = self.pick(self.held(), number)
        assert self.write(run, repeat, self.owner.release) is None
        self.oracle.release(run)

    @precondition(lambda self: self.held())
    @rule(number=PICK, status=st.sampled_from(["completed", "failed", "cancelled"]), repeat=REPEAT)
    def finish(self, number: int, status: str, repeat: bool) -> None:
        run = self.pick(self.held(), number)
        assert self.write(run, repeat, lambda r, t, s: self.owner.finish(r, t, s, status, b'"end"')) is None
        self.oracle.finish(run, status, b'"end"')

    @precondition(lambda self: self.old_tokens)
    @rule(
        number=PICK, key=STEP_KEYS, what=st.sampled_from(["checkpoint", "arm", "retry", "suspend", "release", "finish"])
    )
    def zombie(self, number: int, key: str, what: str) -> None:
        """A write under a token that is not the run's any more changes nothing."""
        rid, token = self.old_tokens[number % len(self.old_tokens)]
        if self.held() and number % 2:
            rid = self.pick(self.held(), number // 2).id
        if self.oracle.owns(rid, token):
            token = "s9:stolen"
        self.seq += 1
        seq = self.seq
        writes: dict[str, Callable[[], Awaitable[Any]]] = {
            "checkpoint": lambda: self.owner.checkpoint(
                rid, token, seq, key, "run", ok=True, attempts=9, took=0, payload=b'"zombie"'
            ),
            "arm": lambda: self.owner.arm(rid, token, seq, key, "sleep", delay=1, until=None, payload=b""),
            "retry": lambda: self.owner.retry_body(rid, token, seq, delay=1, error=b"{}"),
            "suspend": lambda: self.owner.suspend(rid, token, seq, 99),
            "release": lambda: self.owner.release(rid, token, seq),
            "finish": lambda: self.owner.finish(rid, token, seq, "completed", b'"zombie"'),
        }
        assert self.do(writes[what], False) is Stale

    @precondition(lambda self: self.oracle.runs)
    @rule(number=PICK)
    def cancel(self, number: int) -> None:
        run = self.pick(list(self.oracle.runs.values()), number)
        assert self.run_async(self.runs.cancel(run.id)) == self.oracle.cancel(self.clock.now(), run.id)

    @precondition(lambda self: any(run.pending and not run.ended for run in self.oracle.runs.values()))
    @rule(number=PICK, ok=st.booleans())
    def resolve(self, number: int, ok: bool) -> None:
        run = self.pick([run for run in self.oracle.runs.values() if run.pending and not run.ended], number)
        key = next(key for key, step in run.steps.items() if step.due)
        assert self.run_async(self.runs.resolve(run.id, key, ok=ok, payload=b"7")) == "OK"
        self.oracle.resolve(self.clock.now(), run, [(key, "done" if ok else "failed", b"7")])
        assert self.run_async(self.runs.resolve(run.id, key, ok=ok, payload=b"8")) == "DONE"

    @rule(worker=WORKER, dead=st.booleans())
    def beat(self, worker: int, dead: bool) -> None:
        session = max(self.oracle.dead) if dead and self.oracle.dead else self.session(worker)
        heard = self.heard.pop(session, [])
        try:
            pulse = self.run_async(self.leases.beat(session, heard))
        except SessionDead:
            assert session in self.oracle.dead
            return
        assert session not in self.oracle.dead
        self.oracle.sessions[session] = self.clock.now() + EXPIRY
        waiting = self.oracle.news.get(session, set())
        waiting -= {f"{run}|{step}" for run, step in heard}
        assert {f"{run}|{step}" for run, step in pulse.news} == waiting
        assert pulse.held == sum(run.session == session for run in self.oracle.runs.values())
        self.heard[session] = list(pulse.news)

    @rule(worker=WORKER, number=PICK, rest=st.sampled_from(["executing", "executing", "idle"]))
    def reap(self, worker: int, number: int, rest: str) -> None:
        session = self.session(worker)
        if session not in self.oracle.sessions:
            return
        held = [run.id for run in self.oracle.runs.values() if run.session == session]
        executing = held[: number % (len(held) + 1)]
        self.run_async(self.leases.reap(session, executing, "executing" if rest == "executing" else "idle"))
        self.oracle.reap(self.clock.now(), session, None if rest == "executing" else set(executing))

    @rule(ms=st.sampled_from([1, 500, 1_900, 1_900, 3_000, 16_000]), seconds=st.sampled_from([0, 0, 0, 0, 16, 31]))
    def pass_time(self, ms: int, seconds: int) -> None:
        """A leap, or a tick every second, so that silent sessions are declared dead."""
        if seconds:
            self.run_async(self._live_on(seconds))
        else:
            self.advance_and_tick(ms)

    def advance_and_tick(self, ms: int) -> None:
        self.clock.advance(ms)
        self.run_async(self.ticks.tick())
        self.oracle.tick(self.clock.now())

    async def _live_on(self, seconds: int) -> None:
        for _ in range(seconds):
            self.clock.advance(1_000)
            await self.ticks.tick()
            self.oracle.tick(self.clock.now())

    # What must hold after every rule.

    def same_step(self, row: StepRow, step: Step) -> None:
        assert (row.state, row.turn, row.due, row.attempts) == (step.state, step.turn, step.due, step.attempts)

    @invariant()
    def same_as_the_oracle(self) -> None:
        if hasattr(self, "ticks"):
            self.run_async(self._compare())

    async def _compare(self) -> None:
        self.kept = await keyspace(self.store)
        for run in self.oracle.runs.values():
            self._compare_run(run)
        live = [run for run in self.oracle.runs.values() if not run.ended]
        assert set(self._scores("k_live")) == {run.id for run in live}
        assert set(self._scores("k_ended")) == {run.id for run in self.oracle.runs.values() if run.ended}
        timers = {name: at for name, at in self._scores("k_timers").items() if not name.startswith("=")}
        assert timers == {name: at for run in live for name, at in run.timers.items()}
        assert set(self._scores("k_sessions")) == set(self.oracle.sessions)
        for session in self.oracle.sessions:
            held = {run.id for run in live if run.session == session}
            assert set(self._flat("k_held", session)) == {run.encode() for run in held}
        self._compare_slots()

    def _compare_run(self, run: Run) -> None:
        found = RunRecord.parse(run.id, self._hash("k_run", run.id))
        assert (found.status, found.turn, found.pending) == (run.status, run.turn, run.pending)
        assert (found.crashes, found.attempt, found.notbefore) == (run.crashes, run.attempt, run.notbefore)
        assert found.steps == len(run.steps)
        rows = [StepRow.parse(key, row) for key, row in self._hash("k_steps", run.id).items()]
        assert {row.key for row in rows} == set(run.steps)
        for row in rows:
            self.same_step(row, run.steps[row.key])
            assert row.payload == run.steps[row.key].payload
        assert found.bytes == sum(len(row.payload) for row in rows)
        if run.status == "completed":
            assert found.output == run.body

    def _compare_slots(self) -> None:
        for scope in {scope for run in self.oracle.runs.values() for scope in run.slots}:
            assert set(self._scores("k_slots", scope)) == self.oracle.holders(scope)
        assert self._members("k_queue") == {(self._waits_in(run), run.id) for run in self.oracle.ready(ALL)}
        told = {(session, news) for session, known in self.oracle.news.items() for news in known}
        assert self._members("k_news") == told

    def _waits_in(self, run: Run) -> str:
        """A suspect has a lane of its own."""
        return run.lane.replace(run.function, run.function + "!", 1) if run.crashes >= SUSPECT else run.lane

    def _members(self, name: str) -> set[tuple[str, str]]:
        """What is in all keys of one name, with what makes the key."""
        prefix = self.partition.keys.name(name)
        step = 2 if name == "k_queue" else 1
        found = {key.removeprefix(prefix): flat[::step] for key, flat in self.kept.items() if key.startswith(prefix)}
        return {(key, member.decode()) for key, members in found.items() for member in members}

    def _flat(self, name: str, rest: str = "") -> list[bytes]:
        return self.kept.get(self.partition.keys.name(name, rest), [])

    def _scores(self, name: str, rest: str = "") -> dict[str, int]:
        flat = self._flat(name, rest)
        return {flat[at].decode(): int(float(flat[at + 1])) for at in range(0, len(flat), 2)}

    def _hash(self, name: str, rest: str) -> dict[bytes, bytes]:
        flat = self._flat(name, rest)
        return dict(zip(flat[::2], flat[1::2], strict=True))
