"""What the engine promises to tell of the past of runs, one rule at a time; see `engine_scenarios`."""

import pytest

from stepwell.platform.codec import decode, encode
from stepwell.platform.engine.answers import Stale
from stepwell.platform.engine.cards import Card, Cards
from stepwell.platform.reading.noted import Noted, noted_of
from stepwell.platform.reading.story import Entry, Story, story_of
from stepwell.platform.reading.turns import turns_of
from stepwell.platform.records import Lease
from tests.engine_bench import EXPIRY, PATIENCE, Bench
from tests.engine_scenarios import DAY, Scenario

SCENARIOS: list[Scenario] = []
KEPT = 500
DROPPED = 64
CARD = Card("host", 1, {"app": "v1"}, ("app/f",), 4, 1, "0.1.0", EXPIRY)
LONG = encode({"type": "E", "message": "m" * 5_000, "traceback": [{"file": "f"}] * 9, "causes": [{}, {}], "cut": 2})


def scenario(work: Scenario) -> Scenario:
    """Adds it to the list."""
    SCENARIOS.append(work)
    return work


async def told(bench: Bench, run: str) -> Story:
    """What is told of a run."""
    story = await story_of(bench.partition, run, bench.clock.now())
    assert story is not None
    return story


async def split(bench: Bench, run: str) -> tuple[int, int, int]:
    """Ms it was queued, running and waiting."""
    spent = (await told(bench, run)).split
    return spent.queued, spent.running, spent.waiting


async def entries(bench: Bench, run: str, *kinds: str) -> list[Entry]:
    """What is told of a run, of these kinds."""
    return [entry for entry in (await told(bench, run)).entries if entry.kind in kinds]


async def course(bench: Bench, run: str) -> list[tuple[str, int, int | None]]:
    """What the run was, how long after its creation, and for how long; `None` when that goes on."""
    found = await entries(bench, run, "queued", "running", "waiting")
    born = (await bench.header(run)).created
    return [(entry.kind, entry.at - born, entry.until and entry.until - entry.at) for entry in found]


async def noted(bench: Bench, run: str) -> Noted:
    """What is kept beside header and steps."""
    return await noted_of(bench.partition, run, (await bench.header(run)).token)


async def leased_later(bench: Bench, ms: int, lane: str = "app/f") -> Lease:
    """A run that was leased so much later than it was created."""
    await bench.send(lane)
    bench.clock.advance(ms)
    return await bench.one("w", lane.split("|")[0])


async def wait_a_turn(bench: Bench, lease: Lease, key: str, delay: int) -> Lease:
    """The run sleeps, and is leased 3 ms after it was woken."""
    await bench.sleep(lease, key, delay)
    await bench.suspend(lease, seen=99)
    await bench.pass_time(delay, step=delay)
    bench.clock.advance(3)
    return await bench.one()


@scenario
async def a_run_of_one_turn_keeps_nothing_beside_its_header(bench: Bench) -> None:
    lease = await leased_later(bench, 5)
    bench.clock.advance(7)
    assert await course(bench, lease.run) == [("queued", 0, 5), ("running", 5, None)]
    assert await split(bench, lease.run) == (5, 7, 0)
    await bench.finish(lease)
    bench.clock.advance(1_000)
    assert not await bench.exists("k_history", lease.run)
    assert await split(bench, lease.run) == (5, 7, 0)
    kinds = [(entry.kind, entry.outcome, entry.worker) for entry in (await told(bench, lease.run)).entries]
    assert kinds == [
        ("created", None, None),
        ("queued", None, None),
        ("running", "completed", "w"),
        ("completed", None, None),
    ]


@scenario
async def a_run_that_was_never_leased_was_queued_all_its_life(bench: Bench) -> None:
    run = await bench.send()
    bench.clock.advance(4)
    assert (await course(bench, run), await split(bench, run)) == ([("queued", 0, None)], (4, 0, 0))
    await bench.runs.cancel(run)
    bench.clock.advance(9)
    assert (await course(bench, run), await split(bench, run)) == ([("queued", 0, 4)], (4, 0, 0))
    assert (await told(bench, run)).entries[-1].kind == "cancelled"


@scenario
async def every_turn_is_told_of_with_what_came_between(bench: Bench) -> None:
    lease = await leased_later(bench, 5)
    bench.clock.advance(7)
    lease = await wait_a_turn(bench, lease, "nap", 1_000)
    bench.clock.advance(11)
    again = await wait_a_turn(bench, lease, "nap:1", 2_000)
    bench.clock.advance(13)
    await bench.finish(again)
    first, second = ("queued", 0, 5), ("queued", 1_012, 3)
    assert await course(bench, lease.run) == [
        *(first, ("running", 5, 7), ("waiting", 12, 1_000)),
        *(second, ("running", 1_015, 11), ("waiting", 1_026, 2_000)),
        *(("queued", 3_026, 3), ("running", 3_029, 13)),
    ]
    assert await split(bench, lease.run) == (11, 31, 3_000)
    queued = await entries(bench, lease.run, "queued")
    assert [entry.step for entry in queued] == [None, "nap", "nap:1"]
    ran = await entries(bench, lease.run, "running")
    assert [entry.outcome for entry in ran] == ["suspended", "suspended", "completed"]
    assert len((await noted(bench, lease.run)).turns) == 2


@scenario
async def what_goes_on_counts_to_now(bench: Bench) -> None:
    lease = await leased_later(bench, 5)
    await bench.sleep(lease, "nap", 1_000)
    await bench.suspend(lease, seen=99)
    bench.clock.advance(400)
    assert (await split(bench, lease.run), (await course(bench, lease.run))[-1][0]) == ((5, 0, 400), "waiting")
    await bench.pass_time(600, step=600)
    bench.clock.advance(20)
    assert (await split(bench, lease.run), (await course(bench, lease.run))[-1]) == (
        *((25, 0, 1_000), ("queued", 1_005, None)),
    )


@scenario
async def a_wait_that_ended_meanwhile_was_none(bench: Bench) -> None:
    lease = await leased_later(bench, 5)
    await bench.sleep(lease, "nap", 1_000)
    await bench.runs.resolve(lease.run, "nap", ok=True, payload=b"1")
    await bench.suspend(lease)
    bench.clock.advance(2)
    assert await course(bench, lease.run) == [("queued", 0, 5), ("running", 5, 0), ("queued", 5, None)]


@scenario
async def a_run_that_is_cancelled_while_it_waits_has_waited_to_its_end(bench: Bench) -> None:
    lease = await leased_later(bench, 5)
    await bench.sleep(lease, "nap", 1_000)
    await bench.suspend(lease, seen=99)
    bench.clock.advance(30)
    await bench.runs.cancel(lease.run)
    bench.clock.advance(30)
    assert await split(bench, lease.run) == (5, 0, 30)
    assert (await course(bench, lease.run))[-1] == ("waiting", 5, 30)
    assert [entry.outcome for entry in await entries(bench, lease.run, "running")] == ["suspended"]


@scenario
async def a_run_that_is_cancelled_in_its_lane_was_queued_to_its_end(bench: Bench) -> None:
    lease = await leased_later(bench, 5)
    bench.clock.advance(2)
    await bench.release(lease)
    bench.clock.advance(30)
    await bench.runs.cancel(lease.run)
    assert await split(bench, lease.run) == (35, 2, 0)
    assert [entry.outcome for entry in await entries(bench, lease.run, "running")] == ["released"]


@scenario
async def a_failed_attempt_of_the_function_is_told_of(bench: Bench) -> None:
    lease = await leased_later(bench, 5)
    bench.clock.advance(7)
    failed = bench.clock.now()
    await bench.owner.retry_body(lease.run, lease.token, 1, delay=1_000, error=b'{"type":"E1"}')
    await bench.owner.retry_body(lease.run, lease.token, 1, delay=1_000, error=b'{"type":"E1"}')
    await bench.pass_time(1_000)
    again = await bench.one()
    await bench.owner.retry_body(again.run, again.token, 1, delay=2_000, error=b'{"type":"E2"}')
    first, second = await entries(bench, lease.run, "failed_attempt")
    assert (first.attempt, first.at, first.until, first.due) == (1, failed - 7, failed, failed + 1_000)
    assert (first.error, first.worker, first.step) == (b'{"type":"E1"}', "w", None)
    assert (second.attempt, second.error) == (2, b'{"type":"E2"}')
    assert await split(bench, lease.run) == (5, 7, 1_000)


@scenario
async def failed_attempts_of_a_step_are_told_of(bench: Bench) -> None:
    lease = await leased_later(bench, 5)
    begun = bench.clock.now()
    for number in (1, 2):
        bench.clock.advance(10)
        error = b'{"type":"E%d"}' % number
        for _ in range(2):
            await bench.owner.retry_step(
                lease.run, lease.token, number, "pay\nup", "run", attempts=number, delay=100, took=4, error=error
            )
        await bench.pass_time(100)
    bench.clock.advance(10)
    tried = await entries(bench, lease.run, "failed_attempt")
    assert [(entry.attempt, entry.error, entry.worker) for entry in tried] == [
        (1, b'{"type":"E1"}', "w"),
        (2, b'{"type":"E2"}', "w"),
    ]
    for _ in range(2):
        await bench.owner.checkpoint(
            lease.run, lease.token, 9, "pay\nup", "run", ok=False, attempts=3, took=6, payload=b'{"type":"E3"}'
        )
    tried = await entries(bench, lease.run, "failed_attempt")
    assert [(entry.step, entry.at - begun, entry.until and entry.until - begun, entry.due) for entry in tried] == [
        ("pay\nup", 6, 10, begun + 110),
        ("pay\nup", 116, 120, begun + 220),
        ("pay\nup", 224, 230, None),
    ]
    assert [entry.error for entry in tried] == [b'{"type":"E1"}', b'{"type":"E2"}', b'{"type":"E3"}']
    [step] = await entries(bench, lease.run, "step")
    assert (step.attempt, step.outcome, step.at - begun, step.error) == (3, "failed", 6, b'{"type":"E3"}')
    assert (await noted(bench, lease.run)).tries[-1].error == b""  # the step has it


@scenario
async def a_step_that_fails_at_once_is_told_of_by_its_row_alone(bench: Bench) -> None:
    lease = await leased_later(bench, 5)
    bench.clock.advance(9)
    await bench.owner.checkpoint(
        lease.run, lease.token, 1, "pay", "run", ok=False, attempts=1, took=6, payload=b'{"type":"E"}'
    )
    [tried] = await entries(bench, lease.run, "failed_attempt")
    assert (tried.attempt, tried.until and tried.until - tried.at, tried.worker) == (1, 6, "w")
    assert not await bench.exists("k_history", lease.run)


@scenario
async def a_long_error_is_told_of_in_short(bench: Bench) -> None:
    lease = await leased_later(bench, 5)
    for number in (1, 2):
        await bench.owner.retry_step(
            lease.run, lease.token, number, "pay", "run", attempts=number, delay=1, took=4, error=LONG
        )
    first, last = (await noted(bench, lease.run)).tries
    assert first.error == last.error
    assert len(first.error) < 2_048
    shortened = decode(first.error)
    assert (shortened["cut"], shortened["causes_cut"]) == (7, 2)
    assert (await entries(bench, lease.run, "failed_attempt"))[-1].error == LONG


@scenario
async def the_death_of_a_worker_is_told_of(bench: Bench) -> None:
    lease, other = await leased_later(bench, 5), await leased_later(bench, 0)
    bench.clock.advance(7)
    await bench.crash("w", lease.run)
    await bench.crash("w")
    bench.clock.advance(2)
    [died] = await entries(bench, lease.run, "running")
    [idle] = await entries(bench, other.run, "running")
    assert (died.outcome, died.worker, died.until) == ("crashed", "w", bench.clock.now() - 2)
    assert (idle.outcome, idle.worker) == ("released", "w")


@scenario
async def the_last_death_ends_the_run_and_is_told_of(bench: Bench) -> None:
    run = await bench.send()
    for number in range(3):
        await bench.one(f"w{number}", "app/f", "app/f!")
        bench.clock.advance(10)
        await bench.crash(f"w{number}", run)
    died = await entries(bench, run, "running")
    assert [(entry.worker, entry.outcome) for entry in died] == [(f"w{number}", "crashed") for number in range(3)]
    assert (await told(bench, run)).entries[-1].kind == "failed"
    assert await split(bench, run) == (0, 30, 0)


@scenario
async def what_a_dead_worker_was_known_to_execute_is_told_of(bench: Bench) -> None:
    lease, other = await leased_later(bench, 5), await leased_later(bench, 0)
    bench.clock.advance(7_000)
    steps = [(lease.run, "pay|up", 1, 4_000), (other.run, "pack", 1, 3_000), (lease.run, "a\nb", 2, 2_000)]
    await bench.leases.executing("w", steps)
    await bench.crash("w", lease.run)
    now = bench.clock.now()
    died = await entries(bench, lease.run, "failed_attempt")
    assert [(entry.step, entry.attempt, entry.at - now, entry.until, entry.worker) for entry in died] == [
        ("pay|up", 1, -4_000, now, "w"),
        ("a\nb", 2, -2_000, now, "w"),
    ]
    assert [decode(entry.error or b"{}")["type"] for entry in died] == ["Crashed", "Crashed"]
    assert await entries(bench, other.run, "failed_attempt") == []
    assert not await bench.exists("k_executing", "w")


@scenario
async def what_has_ended_since_a_dead_worker_told_of_it_was_cut_short_by_nothing(bench: Bench) -> None:
    lease = await leased_later(bench, 5)
    bench.clock.advance(7_000)
    steps = [(lease.run, key, 1, 4_000) for key in ("pay", "pack", "mail", "read")]
    await bench.leases.executing("w", steps)
    await bench.record(lease, "pay")
    await bench.owner.checkpoint(
        lease.run, lease.token, 2, "pack", "run", ok=False, attempts=1, took=6, payload=b'{"type":"E1"}'
    )
    await bench.owner.retry_step(
        lease.run, lease.token, 3, "mail", "run", attempts=1, delay=DAY, took=4, error=b'{"type":"E2"}'
    )
    await bench.crash("w", lease.run)
    tried = await entries(bench, lease.run, "failed_attempt")
    kinds = [(entry.step, decode(entry.error or b"{}")["type"]) for entry in tried]
    assert sorted(kinds) == [("mail", "E2"), ("pack", "E1"), ("read", "Crashed")]


@scenario
async def an_attempt_that_a_crash_has_cut_short_comes_beside_those_that_failed(bench: Bench) -> None:
    lease = await leased_later(bench, 5)
    await bench.owner.retry_step(
        lease.run, lease.token, 1, "pay", "run", attempts=1, delay=1_000, took=4, error=b'{"type":"E1"}'
    )
    bench.clock.advance(1_500)
    await bench.leases.executing("w", [(lease.run, "pay", 2, 300)])
    await bench.crash("w", lease.run)
    again = await bench.one("w2")
    bench.clock.advance(9)
    await bench.owner.checkpoint(
        lease.run, again.token, 1, "pay", "run", ok=False, attempts=2, took=6, payload=b'{"type":"E2"}'
    )
    tried = await entries(bench, lease.run, "failed_attempt")
    kinds = [(entry.attempt, entry.worker, decode(entry.error or b"{}")["type"]) for entry in tried]
    assert kinds == [(1, "w", "E1"), (2, "w", "Crashed"), (2, "w2", "E2")]


@scenario
async def nobody_executes_for_a_session_that_is_not_known_or_dead(bench: Bench) -> None:
    lease = await leased_later(bench, 5)
    await bench.leases.executing("w", [(lease.run, "pay", 1, 2_000)])
    await bench.leases.executing("w", [(lease.run, "pack", 1, 2_000)])
    assert await bench.read("HKEYS", "k_executing", "w") == [f"{lease.run}|pack".encode()]
    await bench.leases.executing("w", [])
    await bench.leases.executing("stranger", [(lease.run, "pay", 1, 2_000)])
    runs = [await bench.send() for _ in range(70)]
    assert len(await bench.lease("w") + await bench.lease("w")) == len(runs)
    await bench.partition.script("reap", "w", 2, "idle")  # takes 64 of them back: it is dead, and still known
    await bench.leases.executing("w", [(lease.run, "pay", 1, 2_000)])
    assert not await bench.exists("k_executing", "w")
    assert not await bench.exists("k_executing", "stranger")


@scenario
async def the_card_of_a_worker_goes_with_its_session(bench: Bench) -> None:
    await leased_later(bench, 5)
    cards = Cards(bench.partition)
    await cards.show("w", CARD)
    assert await cards.of(["w", "stranger"]) == [CARD, None]
    await bench.crash("w")
    assert await cards.of(["w"]) == [None]


@scenario
async def a_silent_session_is_told_of_as_a_crash(bench: Bench) -> None:
    lease = await leased_later(bench, 5)
    await bench.pass_time(EXPIRY + 1_000)
    [died] = await entries(bench, lease.run, "running")
    assert (died.outcome, died.worker) == ("crashed", "w")


@scenario
async def a_cancel_over_the_head_of_an_owner_is_told_of(bench: Bench) -> None:
    lease = await leased_later(bench, 5)
    asked = bench.clock.now()
    await bench.runs.cancel(lease.run)
    for _ in range(PATIENCE // 1_000 + 1):
        await bench.leases.beat("w")
        await bench.pass_time(1_000)
    [request] = await entries(bench, lease.run, "cancel_requested")
    [ran] = await entries(bench, lease.run, "running")
    assert (request.at, ran.outcome, ran.worker) == (asked, "cancelled", "w")
    assert await split(bench, lease.run) == (5, PATIENCE, 0)


@scenario
async def a_cancel_that_is_heard_ends_the_turn(bench: Bench) -> None:
    lease = await leased_later(bench, 5)
    await bench.runs.cancel(lease.run)
    bench.clock.advance(4)
    await bench.finish(lease, "cancelled")
    [ran] = await entries(bench, lease.run, "running")
    assert (ran.outcome, ran.until and ran.until - ran.at) == ("cancelled", 4)
    assert not await bench.exists("k_history", lease.run)


@scenario
async def what_is_done_by_hand_is_told_of_and_nothing_else(bench: Bench) -> None:
    lease = await leased_later(bench, 5)
    for key in ("nap", "nap:1", "nap:2"):
        await bench.sleep(lease, key, DAY)
    await bench.retry(lease, "pay", 1, DAY)
    await bench.suspend(lease, seen=99)
    assert await bench.runs.wake(lease.run, "nap") == "OK"
    assert await bench.runs.wake(lease.run, "nap") == "DONE"
    assert await bench.runs.resolve(lease.run, "nap:1", ok=True, payload=b"1", by_hand=True) == "OK"
    assert await bench.runs.resolve(lease.run, "nap:2", ok=True, payload=b"1") == "OK"
    assert await bench.runs.retry_now(lease.run, "pay") == "OK"
    assert await bench.runs.retry_now(lease.run) == "DONE"
    done = await entries(bench, lease.run, "wake", "resolve", "retry")
    assert sorted((entry.kind, entry.step) for entry in done) == [
        *(("resolve", "nap:1"), ("retry", "pay"), ("wake", "nap")),
    ]


@scenario
async def a_function_that_is_hurried_is_told_of(bench: Bench) -> None:
    lease = await leased_later(bench, 5)
    await bench.retry_body(lease, 9_000)
    bench.clock.advance(100)
    assert await bench.runs.retry_now(lease.run) == "OK"
    [hurried] = await entries(bench, lease.run, "retry")
    assert (hurried.step, hurried.at) == (None, bench.clock.now())
    assert await split(bench, lease.run) == (5, 0, 100)


@scenario
async def a_turn_that_ended_while_the_run_was_read_is_told_of_once(bench: Bench) -> None:
    lease = await leased_later(bench, 5)
    before = await bench.header(lease.run)
    for _ in range(2):
        bench.clock.advance(2)
        await bench.release(lease)
        lease = await bench.one()
    kept = await noted(bench, lease.run)
    assert turns_of(before, kept) == kept.turns


@scenario
async def the_oldest_is_dropped_and_still_counts(bench: Bench) -> None:
    lease = await leased_later(bench, 5)
    for _ in range(KEPT):
        bench.clock.advance(2)
        await bench.release(lease)
        bench.clock.advance(1)
        lease = await bench.one()
    assert (await bench.read("LLEN", "k_history", lease.run), (await told(bench, lease.run)).dropped) == (KEPT, 0)
    bench.clock.advance(2)
    await bench.retry(lease, "pay", 1, 100)
    story = await told(bench, lease.run)
    assert await bench.read("LLEN", "k_history", lease.run) == KEPT - DROPPED + 1
    assert (story.dropped, story.split.queued, story.split.running) == (DROPPED, 5 + KEPT, 2 * KEPT + 2)
    for _ in range(DROPPED):
        await bench.release(lease)
        lease = await bench.one()
    story = await told(bench, lease.run)
    assert (story.dropped, story.split.queued, story.split.running) == (2 * DROPPED, 5 + KEPT, 2 * KEPT + 2)
    assert story.split.waiting == 0


@scenario
async def what_was_dropped_may_be_no_turn(bench: Bench) -> None:
    lease = await leased_later(bench, 5)
    for number in range(1, KEPT + 2):
        await bench.retry(lease, "pay", number, 100)
    bench.clock.advance(9)
    story = await told(bench, lease.run)
    assert (story.dropped, story.split.queued, story.split.running) == (DROPPED, 5, 9)


@scenario
async def a_repeated_end_of_a_turn_is_told_of_once(bench: Bench) -> None:
    lease = await leased_later(bench, 5)
    await bench.sleep(lease, "nap", 1_000)
    for _ in range(2):
        await bench.owner.suspend(lease.run, lease.token, 7, 99)
    with pytest.raises(Stale):
        await bench.owner.release(lease.run, lease.token, 8)
    assert [turn.outcome for turn in (await noted(bench, lease.run)).turns] == ["suspended"]


@scenario
async def it_goes_with_the_run(bench: Bench) -> None:
    lease = await leased_later(bench, 5)
    lease = await wait_a_turn(bench, lease, "nap", 1_000)
    await bench.finish(lease)
    assert await bench.exists("k_history", lease.run)
    bench.clock.advance(DAY)
    await bench.ticks.trim_runs(DAY)
    assert not await bench.exists("k_history", lease.run)
    assert await story_of(bench.partition, lease.run, bench.clock.now()) is None


@scenario
async def time_that_goes_back_takes_nothing_away(bench: Bench) -> None:
    lease = await leased_later(bench, 500)
    bench.clock.advance(-700)
    await bench.release(lease)
    bench.clock.advance(-100)
    again = await bench.one()
    bench.clock.advance(-100)
    await bench.release(again)
    queued, running, waiting = await split(bench, lease.run)
    assert (queued, running, waiting) == (500, 0, 0)
