"""What the engine promises of schedules, one rule at a time; see `engine_scenarios`."""

from typing import Any

from stepwell.platform.cron.state import ScheduleState
from stepwell.platform.ids import encode_id, run_id
from tests.engine_bench import BODY, PATIENCE, Bench
from tests.engine_scenarios import Scenario

SCENARIOS: list[Scenario] = []
MINUTE = 60_000
IDLE, GRACE, MOST_HELD = 1_000, MINUTE, 3
ID = "app/f/1"


def scenario(work: Scenario) -> Scenario:
    """Adds it to the list."""
    SCENARIOS.append(work)
    return work


# The verbs, as scripts have them. Times are in minutes after the next full one.


class Clockwork:
    """A schedule of every minute on a bench, in the registry of version 1."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.partition = bench.partition
        self.start = -(-bench.clock.now() // MINUTE) * MINUTE

    def at(self, number: int) -> int:
        """A time in ms."""
        return self.start + number * MINUTE

    def run(self, number: int) -> str:
        """The run of a time."""
        return run_id(self._event(number), "app/f", 0)

    def _event(self, number: int) -> str:
        return encode_id(self.at(number), 0, 7)

    def _made(self, number: int, options: str) -> tuple[Any, ...]:
        return self.run(number), "app/f", "v1", options, "-", self._event(number), BODY

    async def plan(self, *items: tuple[Any, ...], version: int = 1, planned: int = 1, settled: int = 0) -> str:
        """Takes schedules up, or drops them; gives the answer. An item may end with what is known of a schedule."""
        items = tuple(item if len(item) == 5 else (*item, "") for item in items)
        return str((await self.partition.script("plan", version, planned, settled, items=items)).decode())

    async def begin(self) -> None:
        """Registers, and lets the time 0 come."""
        assert await self.plan(("add", ID, self.at(0), self.at(0))) == "OK"
        self.bench.clock.advance(self.at(0) - self.bench.clock.now())

    async def fire(
        self, number: int, overlap: str = "allow", *, version: int = 1, missed: int = 0, options: str = "-", to: int = 0
    ) -> str:
        """Fires a time, and goes on with the one behind it, or behind `to`; gives the answer."""
        upcoming = self.at(max(number, to) + 1)
        item = ID, self.at(number), self.at(number), upcoming, upcoming, missed, overlap, *self._made(number, options)
        [answer] = await self.partition.script("fire", version, PATIENCE, MOST_HELD, items=[item])
        return str(answer.decode())

    async def leave_out(self, number: int, missed: int) -> str:
        """Goes on with the next time without a run; gives the answer."""
        upcoming = self.at(number + missed)
        item = ID, self.at(number), 0, upcoming, upcoming, missed, "allow", *self._made(number, "-")
        [answer] = await self.partition.script("fire", 1, PATIENCE, MOST_HELD, items=[item])
        return str(answer.decode())

    async def follow(self, number: int, *, version: int = 1, options: str = "-") -> str:
        """Starts the run of a held time; gives the answer."""
        item = ID, self.at(number), *self._made(number, options)
        [answer] = await self.partition.script("follow", version, items=[item])
        return str(answer.decode())

    async def start_run(self, number: int, *, version: int = 1, id: str = ID, options: str = "-") -> str:
        """Starts a run beside the plan; gives the answer."""
        [answer] = await self.partition.script("start", version, items=[(id, *self._made(number, options))])
        return str(answer.decode())

    async def mark(self, what: str, value: int = 0, id: str = ID) -> str | ScheduleState:
        """Pauses, resumes or skips; gives the answer."""
        [answer] = await self.partition.script("mark", items=[(id, what, value)])
        return answer.decode() if answer in (b"GONE", b"LOST") else ScheduleState.parse(answer)

    async def due(self) -> tuple[int, int, list[str], list[str]]:
        """Whether time went back, ms until there is more to do, and who is due, and may follow."""
        _, _, _, back, wait, due, free = await self.partition.script("due", 64, IDLE, GRACE)
        return back, wait, [id.decode() for id in due[::2]], [id.decode() for id in free[::2]]

    async def state(self) -> ScheduleState:
        """What is known of it."""
        return ScheduleState.parse(await self.bench.read("HGET", "k_schedules", "", ID))

    async def end(self, number: int) -> None:
        """The run of a time ends."""
        await self.bench.runs.cancel(self.run(number))


async def clockwork(bench: Bench) -> Clockwork:
    """One that has begun."""
    works = Clockwork(bench)
    await works.begin()
    return works


# Times.


@scenario
async def a_time_is_fired_by_the_first_and_only_when_it_is_next(bench: Bench) -> None:
    works = await clockwork(bench)
    assert [await works.fire(0), await works.fire(0), await works.fire(5)] == ["OK", "LOST", "LOST"]
    state = await works.state()
    assert (state.next, state.last, state.fired) == (works.at(1), works.at(0), bench.clock.now())
    assert state.run == works.run(0)
    assert [lease.event.id for lease in [await bench.one()]] == [(await bench.header(works.run(0))).event]
    assert (await bench.header(works.run(0))).link == f"cron {ID}"
    assert await works.fire(1, version=2) == "RELOAD"
    assert (await works.state()).next == works.at(1)


@scenario
async def a_time_that_has_its_run_starts_no_other_but_it_was_its_turn(bench: Bench) -> None:
    works = await clockwork(bench)
    assert [await works.start_run(0), await works.start_run(0)] == ["OK", "DUP"]
    assert (await works.state()).run == "-"
    assert await works.fire(0) == "DUP"
    assert (await works.state()).run == works.run(0)


@scenario
async def what_is_due_is_found_until_it_was_fired_and_not_before(bench: Bench) -> None:
    works = Clockwork(bench)
    await works.plan(("add", ID, works.at(0), works.at(0)))
    before = works.at(0) - bench.clock.now()
    for ms in (5_000, 300, 1):
        bench.clock.advance(before - ms)
        assert await works.due() == (0, min(ms, IDLE), [], [])
        before = ms
    bench.clock.advance(1)
    assert await works.due() == (0, 0, [ID], [])
    await works.fire(0)
    assert await works.due() == (0, IDLE, [], [])
    bench.clock.advance(MINUTE)
    assert (await works.due())[2] == [ID]


@scenario
async def times_that_nothing_makes_up_for_are_counted(bench: Bench) -> None:
    works = await clockwork(bench)
    assert await works.leave_out(0, missed=3) == "MISSED"
    assert await works.fire(3, missed=2, to=5) == "OK"
    state = await works.state()
    assert (state.missed, state.skipped, state.next) == (5, 0, works.at(6))


@scenario
async def a_schedule_that_has_no_next_time_is_never_due(bench: Bench) -> None:
    works = await clockwork(bench)
    item = ID, works.at(0), 0, 0, 0, 1, "allow", "-", "-", "-", "-", "-", "-", b""
    assert await works.partition.script("fire", 1, PATIENCE, MOST_HELD, items=[item]) == [b"MISSED"]
    assert not await bench.exists("k_crons")


@scenario
async def what_is_gone_is_not_due(bench: Bench) -> None:
    works = await clockwork(bench)
    await bench.read("HDEL", "k_schedules", "", ID)
    assert [await works.fire(0), await works.start_run(0), await works.mark("pause")] == ["GONE", "GONE", "GONE"]
    assert await works.due() == (0, IDLE, [], [])
    assert not await bench.exists("k_crons")


# Overlap.


@scenario
async def a_run_that_has_not_ended_holds_back_the_next_by_the_rule_of_its_schedule(bench: Bench) -> None:
    works = await clockwork(bench)
    assert [await works.fire(0), await works.fire(1, "skip"), await works.fire(2)] == ["OK", "SKIPPED", "OK"]
    await works.end(2)
    assert await works.fire(3, "skip") == "OK"
    assert ((await works.state()).skipped, await bench.status(works.run(0))) == (1, "queued")
    assert await works.fire(4, "cancel_old") == "OK"
    assert await bench.status(works.run(3)) == "cancelled"
    assert b"Overlap" in (await bench.header(works.run(3))).error


@scenario
async def nothing_is_cancelled_for_a_time_that_starts_no_run(bench: Bench) -> None:
    works = await clockwork(bench)
    await works.fire(0)
    await works.start_run(1)
    assert await works.fire(1, "cancel_old") == "DUP"
    assert await bench.status(works.run(0)) == "queued"
    assert await works.fire(2, "cancel_old", options=f"once=key:{MINUTE}") == "OK"
    assert await works.fire(3, "cancel_old", options=f"once=key:{MINUTE}") == "SKIPPED"
    state = await works.state()
    assert (state.run, state.skipped) == (works.run(2), 1)
    assert await bench.status(works.run(2)) == "queued"


@scenario
async def held_times_follow_in_their_order_when_the_run_before_has_ended(bench: Bench) -> None:
    works = await clockwork(bench)
    assert [await works.fire(number, "queue") for number in range(3)] == ["OK", "HELD", "HELD"]
    assert (await works.state()).held == (works.at(1), works.at(2))
    assert ((await works.due())[3], await works.follow(1)) == ([], "LOST")
    await works.end(0)
    assert (await works.due())[3] == [ID]
    assert await works.fire(3, "queue") == "HELD"
    assert [await works.follow(2), await works.follow(1, version=2)] == ["LOST", "RELOAD"]
    assert [await works.follow(1), await works.follow(2)] == ["OK", "LOST"]
    assert ((await works.state()).run, (await works.due())[3]) == (works.run(1), [])
    for number in (2, 3):
        await works.end(number - 1)
        assert await works.follow(number) == "OK"
    assert ((await works.state()).held, await bench.exists("k_crons_held")) == ((), False)
    assert await works.follow(3) == "LOST"


@scenario
async def as_many_times_are_held_as_there_is_room_for(bench: Bench) -> None:
    works = await clockwork(bench)
    answers = [await works.fire(number, "queue") for number in range(MOST_HELD + 2)]
    assert answers == ["OK", *["HELD"] * MOST_HELD, "MISSED"]
    state = await works.state()
    assert (len(state.held), state.missed) == (MOST_HELD, 1)


@scenario
async def held_times_wait_while_their_schedule_rests(bench: Bench) -> None:
    works = await clockwork(bench)
    for number in range(2):
        await works.fire(number, "queue")
    await works.end(0)
    await works.mark("pause")
    assert ((await works.due())[3], await works.follow(1)) == ([], "LOST")
    await works.mark("resume", works.at(2))
    assert ((await works.due())[3], await works.follow(1)) == ([ID], "OK")


@scenario
async def a_held_time_that_has_its_run_or_may_have_none_makes_room_for_the_next(bench: Bench) -> None:
    works, once = await clockwork(bench), f"once=key:{9 * MINUTE}"
    for number in range(4):
        await works.fire(number, "queue", options=once)
    await works.end(0)
    await works.start_run(1)
    assert await works.follow(1) == "DUP"
    assert ((await works.state()).run, await works.follow(2)) == (works.run(1), "LOST")
    await works.end(1)
    assert await works.follow(2, options=once) == "SKIPPED"
    state = await works.state()
    assert (state.run, state.skipped, state.held) == (works.run(1), 1, (works.at(3),))


# Persons.


@scenario
async def a_schedule_that_rests_is_not_due_and_does_not_fire(bench: Bench) -> None:
    works = await clockwork(bench)
    since = bench.clock.now()
    for _ in range(2):
        state = await works.mark("pause")
        assert isinstance(state, ScheduleState)
        assert state.paused == since
        assert ((await works.due())[2], await works.fire(0)) == ([], "PAUSED")
        bench.clock.advance(1)
    for _ in range(2):
        state = await works.mark("resume", works.at(0) + 500)
        assert isinstance(state, ScheduleState)
        assert state.paused == 0
        assert (await works.due())[2] == []
        bench.clock.advance(300)
    assert (await works.due())[2] == [ID]
    assert await works.mark("resume", works.at(9)) == await works.state()
    assert (await works.due())[2] == [ID]
    assert await works.fire(0) == "OK"


@scenario
async def a_time_that_a_person_wants_left_out_is_and_the_next_is_not(bench: Bench) -> None:
    works = await clockwork(bench)
    assert await works.mark("skip", works.at(1)) == "LOST"
    for _ in range(2):
        state = await works.mark("skip", works.at(0))
        assert isinstance(state, ScheduleState)
        assert state.skip == works.at(0)
    assert [await works.fire(0, "queue"), await works.fire(1, "queue")] == ["SKIPPED", "OK"]
    state = await works.state()
    assert (state.skip, state.skipped) == (0, 1)


@scenario
async def a_time_to_be_left_out_that_was_passed_over_is_forgotten(bench: Bench) -> None:
    works = await clockwork(bench)
    await works.mark("skip", works.at(0))
    await works.leave_out(0, missed=2)
    assert (await works.state()).skip == 0


@scenario
async def runs_beside_the_plan_leave_the_plan_alone(bench: Bench) -> None:
    works = await clockwork(bench)
    before = await works.state()
    assert await works.start_run(8, version=2) == "RELOAD"
    assert await works.start_run(8, id="app/f/other") == "GONE"
    assert not await bench.exists("k_run", works.run(8))
    assert await works.start_run(8, options=f"once=key:{MINUTE}") == "OK"
    assert await works.start_run(9, options=f"once=key:{MINUTE}") == f"SKIPPED duplicate:{works.run(8)}"
    assert await works.state() == before
    assert await bench.lease("w") == [works.run(8)]


# Registrations, and clocks.


@scenario
async def what_is_known_already_is_left_alone_and_what_is_dropped_is_gone(bench: Bench) -> None:
    works = await clockwork(bench)
    await works.fire(0, "queue")
    await works.fire(1, "queue")
    before = await works.state()
    assert await works.plan(("add", ID, works.at(7), works.at(7)), version=2) == "RELOAD"
    assert await works.plan(("add", ID, works.at(7), works.at(7))) == "OK"
    assert await works.state() == before
    assert await works.plan(("drop", ID, 0, 0)) == "OK"
    for key in ("k_schedules", "k_crons", "k_crons_held"):
        assert not await bench.exists(key), key


@scenario
async def what_is_known_elsewhere_of_a_schedule_is_taken_up_with_it(bench: Bench) -> None:
    works = await clockwork(bench)
    await works.fire(0, "queue")
    await works.fire(1, "queue")
    before = await works.state()
    assert before.held
    text = (await bench.read("HGET", "k_schedules", "", ID)).decode()
    await works.plan(("drop", ID, 0, 0))
    await works.plan(("add", ID, before.next, before.next, text))
    assert await works.state() == before
    assert await bench.read("ZSCORE", "k_crons", "", ID) is not None
    assert await bench.read("SISMEMBER", "k_crons_held", "", ID) == 1


@scenario
async def it_is_noted_of_which_version_all_schedules_are_here(bench: Bench) -> None:
    works = Clockwork(bench)

    async def planned() -> bytes:
        return bytes(await bench.read("HGET", "k_meta", "", "planned") or b"0")

    assert (await works.plan(planned=0), await planned()) == ("OK", b"0")
    assert (await works.plan(version=2), await planned()) == ("RELOAD", b"0")
    assert (await works.plan(), await planned()) == ("OK", b"1")


@scenario
async def time_that_went_back_is_noticed_and_sets_back_what_is_ahead(bench: Bench) -> None:
    works = await clockwork(bench)
    assert (await works.due())[0] == 0
    bench.clock.advance(9 * MINUTE)
    assert (await works.due())[0] == 0
    await works.fire(0, to=8)
    bench.clock.advance(-GRACE)
    assert (await works.due())[0] == 0
    bench.clock.advance(-1)
    assert (await works.due())[0] == 1
    await works.mark("skip", works.at(9))
    await works.plan(("back", ID, works.at(11), works.at(11)), ("back", "app/f/2", 1, 1), planned=0)
    assert (await works.due())[0] == 1
    assert (await works.state()).next == works.at(9)
    await works.plan(("back", ID, works.at(7), works.at(7) + 5), planned=0, settled=1)
    assert (await works.state()).next == works.at(7)
    assert await works.due() == (0, 0, [ID], [])
    assert await bench.read("HLEN", "k_schedules") == 1
    answers = [await works.fire(number) for number in (7, 8, 9, 10)]
    assert answers == ["OK", "OK", "SKIPPED", "OK"]
    # Another process found the same, and comes late.
    await works.plan(("back", ID, works.at(7), works.at(7) + 5), planned=0, settled=1)
    assert (await works.state()).next == works.at(11)
