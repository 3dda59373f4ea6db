"""The stateful test of steering: histories of waits, in which persons do runs again, or end by hand what they wait for.

What they ask may be late, cut off anywhere, and asked again; and all that holds for waits has to hold here too.
"""

from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from hypothesis import strategies as st

from stepwell.platform.codec import decode, encode
from stepwell.platform.engine.answers import Stale
from stepwell.platform.engine.partition import partitions_of
from stepwell.platform.engine.runs import Runs
from stepwell.platform.errors import StoreUnavailable
from stepwell.platform.ids import digest_of, partition_of
from stepwell.platform.records import Lease, RunRecord, StepRow
from stepwell.platform.registry import Registry
from stepwell.platform.steering.order import Given, Order
from stepwell.platform.steering.refusals import NotSteered
from stepwell.platform.steering.steering import Steering
from tests.engine_bench import PATIENCE
from tests.engine_gates import Gate, Process
from tests.engine_moves import PICK, move
from tests.engine_waits_bench import SETTINGS
from tests.engine_waits_machine import Event, Invoked, Silent, Waited, WaitsMachine

How = Literal["event", "none", "wake"]
OUTPUT = {"by": "hand"}


@dataclass
class Wish:
    """A run that somebody wants done again. `rows`: of that run, when it was asked first; `made`: answered."""

    run: str
    order: Order
    rows: dict[str, StepRow]
    made: str = ""

    @property
    def field(self) -> bytes:
        """Where the run notes by which other one this is done."""
        return b"q:" + digest_of(self.order.request or "").encode()


@dataclass
class Asked:
    """What persons have asked for."""

    wishes: list[Wish] = field(default_factory=list[Wish])
    hands: dict[tuple[str, str], list[How]] = field(default_factory=dict[tuple[str, str], list[How]])
    rows: dict[tuple[str, str], bytes] = field(default_factory=dict[tuple[str, str], bytes])


class SteeringMachine(WaitsMachine):
    """Subclass with a `bench`."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = Asked()

    # What runs do besides waiting.

    @move(6, number=PICK, ok=st.booleans(), again=st.booleans())
    def step(self, number: int, ok: bool, again: bool) -> None:
        held = self.held(number)
        if held is not None:
            self.do(self._step(*held, ok, again))

    async def _step(self, lease: Lease, journal: Silent, ok: bool, again: bool) -> None:
        """A body has been executed; `again`, although what it gives is recorded."""
        self.made += 1
        known = sorted(key for run, key in self.asked.rows if run == lease.run)
        key = known[self.made % len(known)] if again and known else f"do {self.made}"
        with suppress(Stale):
            await journal.owner.checkpoint(
                lease.run,
                lease.token,
                journal.next_seq(),
                key,
                "run",
                ok=ok,
                attempts=1,
                took=0,
                payload=encode({"type": "Why", "message": f"{self.made}"}),
            )

    @move(2, number=PICK, delay=st.sampled_from([3_000, 60_000]), body=st.booleans())
    def try_later(self, number: int, delay: int, body: bool) -> None:
        held = self.held(number)
        if held is not None:
            self.do(self._try_later(*held, delay, body))

    async def _try_later(self, lease: Lease, journal: Silent, delay: int, body: bool) -> None:
        self.made += 1
        seq, key = journal.next_seq(), f"do {self.made}"
        with suppress(Stale):
            if body:
                del self.leases[lease.run]
                await journal.owner.retry_body(lease.run, lease.token, seq, delay=delay, error=b"{}")
            else:
                await journal.owner.retry_step(
                    lease.run, lease.token, seq, key, "run", attempts=1, delay=delay, took=0, error=b"{}"
                )

    # Doing runs again.

    def _steering(self, gate: Gate) -> Steering:
        partitions = partitions_of(gate, self.clock)
        runs = [Runs(partition, PATIENCE) for partition in partitions]
        return Steering(partitions, runs, Registry(partitions), SETTINGS, self.clock)

    def _ask(self, gate: Gate, work: Coroutine[Any, Any, None]) -> Process:
        async def bear() -> None:
            with suppress(NotSteered, StoreUnavailable):
                await work

        return Process(gate, bear())

    @move(4, number=PICK, step=PICK, whole=st.booleans(), given=st.booleans(), edited=st.booleans())
    def do_again(self, number: int, step: int, whole: bool, given: bool, edited: bool) -> None:
        self.do(self._do_again(number, None if whole else step, given, edited))

    async def _do_again(self, number: int, step: int | None, given: bool, edited: bool) -> None:
        runs = await self._all_runs()
        if not runs:
            return
        self.made += 1
        run = runs[number % len(runs)]
        rows = await self._rows(run.id)
        bodies = sorted(key for key, row in rows.items() if row.kind == "run")
        keys = sorted(rows) if not given else bodies
        own = self._own({one.id: one for one in runs}, run.id)
        order = Order(
            input={"id": own.value, "n": 5} if edited else None,
            from_step=keys[step % len(keys)] if step is not None and keys else None,
            output=Given(OUTPUT) if given and step is not None and keys else None,
            request=f"request {self.made}",
        )
        self.asked.wishes.append(Wish(run.id, order, rows))
        await self._begin_wish(self.asked.wishes[-1])

    @move(2, number=PICK)
    def ask_again(self, number: int) -> None:
        """Under the same request: the first answer has not come, or was lost."""
        if self.asked.wishes:
            self.do(self._begin_wish(self.asked.wishes[number % len(self.asked.wishes)]))

    async def _begin_wish(self, wish: Wish) -> None:
        gate = self.bench.gate(self.clock)
        self.processes.append(self._ask(gate, self._wish(gate, wish)))

    async def _wish(self, gate: Gate, wish: Wish) -> None:
        made = await self._steering(gate).rerun(wish.run, wish.order)
        assert wish.made in ("", made), f"{wish} was done again by {made} too"
        wish.made = made

    # By hand.

    @move(4, number=PICK, how=st.sampled_from(["event", "none", "wake"]))
    def end_by_hand(self, number: int, how: How) -> None:
        waiting: list[Waited | Invoked] = [wait for wait in self.history.waits.values() if wait.outcome is None]
        waiting += self.history.invokes.values()
        if waiting:
            self.do(self._end_by_hand(waiting[number % len(waiting)], how))

    async def _end_by_hand(self, wait: Waited | Invoked, how: How) -> None:
        self.asked.hands.setdefault((wait.run, wait.key), []).append(how)
        gate = self.bench.gate(self.clock)
        self.processes.append(self._ask(gate, self._hand(gate, wait, how)))

    async def _hand(self, gate: Gate, wait: Waited | Invoked, how: How) -> None:
        steering = self._steering(gate)
        if how == "wake":
            await steering.wake(wait.run, wait.key)
        else:
            await steering.resolve(wait.run, wait.key, output=Given(self._given(wait, how)))
        # So much is certain when the answer is that it was done.
        row = await self._row(wait.run, wait.key)
        outcome = decode(row.payload)
        assert row.state != "pending", f"{wait} still waits"
        if isinstance(wait, Waited) and how == "event":
            assert (outcome if len(wait.names) == 1 else outcome[1])["id"] == f"hand {wait.key}"

    def _given(self, wait: Waited | Invoked, how: How) -> Any:
        if isinstance(wait, Invoked) or how == "none":
            return None if isinstance(wait, Waited) else OUTPUT
        event: dict[str, Any] = {"id": f"hand {wait.key}", "data": {}}
        return event if len(wait.names) == 1 else {"name": wait.names[0], "event": event}

    @move(2, number=PICK, which=PICK)
    def hurry(self, number: int, which: int) -> None:
        """A step that has failed, or the function itself, is to be tried again now."""
        self.do(self._hurry(number, which))

    async def _hurry(self, number: int, which: int) -> None:
        runs = [run for run in await self._all_runs() if not run.status.ended]
        if runs:
            run, gate = runs[number % len(runs)].id, self.bench.gate(self.clock)
            later = sorted(key for key, row in (await self._rows(run)).items() if row.state == "retrying")
            key = later[which % len(later)] if later else None
            self.processes.append(self._ask(gate, self._steering(gate).retry(run, key)))

    # What must hold.

    async def _rows(self, run: str) -> dict[str, StepRow]:
        home = self.partitions[partition_of(run)]
        flat = await home.read("HGETALL", home.keys.name("k_steps", run))
        rows = [StepRow.parse(flat[at], flat[at + 1]) for at in range(0, len(flat), 2)]
        return {row.key: row for row in rows}

    async def _record_outcomes(self) -> None:
        for run in await self._all_runs():
            if run.rerun_of:
                await self._adopt(run.id, run.rerun_of)
        await super()._record_outcomes()

    async def _adopt(self, run: str, old: str) -> None:
        """Waits that a run has from the one that it does again have their outcomes there too."""
        for key in await self._rows(run):
            wait = self.history.waits.get((old, key))
            if wait and (run, key) not in self.history.waits:
                self.history.waits[run, key] = replace(wait, run=run, taken={*wait.taken})
                self.asked.hands[run, key] = self.asked.hands.get((old, key), [])

    async def _judge(self) -> None:
        await super()._judge()
        runs = {run.id: run for run in await self._all_runs()}
        rows = {id: await self._rows(id) for id in runs}
        for run in runs.values():
            self._judge_rows(run, rows[run.id])
        await self._judge_wishes(runs, rows)

    def _judge_rows(self, run: RunRecord, rows: dict[str, StepRow]) -> None:
        assert run.steps == len(rows), f"{run} has the steps {sorted(rows)}"
        assert run.bytes == sum(len(row.payload) for row in rows.values()), f"{run} has the steps {rows}"
        assert run.pending == sum(row.due > 0 for row in rows.values()), f"{run} has the steps {rows}"
        assert run.turn >= max([row.turn for row in rows.values()], default=0)
        for row in rows.values():
            if row.state in ("done", "failed"):
                assert self.asked.rows.setdefault((run.id, row.key), row.text) == row.text, f"{row} has changed"

    async def _judge_wishes(self, runs: dict[str, RunRecord], rows: dict[str, dict[str, StepRow]]) -> None:
        again = {run.id for run in runs.values() if run.rerun_of}
        for wish in self.asked.wishes:
            home = self.partitions[partition_of(wish.run)]
            made = await home.read("HGET", home.keys.name("k_run", wish.run), wish.field)
            name = made.decode() if made else ""
            assert wish.made in ("", name), f"{wish} is done by {name}"
            assert not wish.made or name in again, f"{wish} is not there"
            if name in again:
                again.remove(name)
                assert runs[name].rerun_of == wish.run
                self._judge_kept(wish, rows[wish.run], rows[name])
        assert not again, f"{again} were made at nobody's request"

    def _judge_kept(self, wish: Wish, old: dict[str, StepRow], new: dict[str, StepRow]) -> None:
        key = wish.order.from_step
        kept = {name: row for name, row in new.items() if name in old}
        if key is None:
            assert not kept, f"{wish} has {kept}"
            return
        given = kept.pop(key, None)
        assert (given is not None) == (wish.order.output is not None), f"{wish} has {given}"
        assert given is None or (given.state, given.payload) == ("done", encode(OUTPUT)), f"{wish} has {given}"
        before = old[key].turn if _ended(old[key]) else 1 << 60
        for name, row in kept.items():
            assert row.text == old[name].text, f"{wish} has {row} instead of {old[name]}"
            assert _ended(row), f"{wish} has {row}, which is open"
            assert row.turn < before, f"{wish} has {row}, which came later"
        wanted = {name for name, row in wish.rows.items() if name != key and _ended(row) and row.turn < before}
        assert wanted <= kept.keys(), f"{wish} has {kept} of {wanted}"

    def _own(self, runs: dict[str, RunRecord], run: str) -> Event:
        record = runs[run]
        if record.rerun_of is None or record.event in self.history.events:
            return super()._own(runs, run)
        own = self._own(runs, record.rerun_of)
        if record.event == runs[record.rerun_of].event:
            return own
        return replace(own, id=record.event, n=5, at=record.created)

    def _judge_wait(self, wait: Waited, run: RunRecord, own: Event) -> None:
        if (run.rerun_of, wait.key) in self.history.waits:
            return  # it is kept, and has ended for the run that this one does again
        hands = self.asked.hands.get((wait.run, wait.key), [])
        by_event = bool(wait.event and wait.event.startswith("hand "))
        if by_event:
            assert "event" in hands, f"{wait} was ended by nobody"
            assert wait.event == f"hand {wait.key}"
        elif not (wait.outcome is not None and not wait.event and {"none", "wake"} & {*hands}):
            super()._judge_wait(wait, run, own)

    async def _judge_invoke(self, invoke: Invoked, runs: dict[str, RunRecord]) -> None:
        row = await self._row(invoke.run, invoke.key)
        if row.state == "done" and decode(row.payload) == OUTPUT:
            assert {"event", "none"} & {*self.asked.hands.get((invoke.run, invoke.key), [])}, (
                f"{row} was given by nobody"
            )
        else:
            await super()._judge_invoke(invoke, runs)

    def _judge_late(self, invoke: Invoked, row: StepRow) -> None:
        if "wake" not in self.asked.hands.get((invoke.run, invoke.key), []):
            super()._judge_late(invoke, row)

    def _judge_controls(self, run: RunRecord, own: Event) -> None:
        super()._judge_controls(run, replace(own, at=max(own.at, run.created)) if run.rerun_of else own)

    def _has_key(self, run: RunRecord) -> bool:
        return not run.rerun_of


def _ended(row: StepRow) -> bool:
    return row.state in ("done", "failed")
