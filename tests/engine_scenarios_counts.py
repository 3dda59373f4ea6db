"""What the engine promises of its counts, one rule at a time; see `engine_scenarios`."""

from dataclasses import astuple

from stepwell.platform.reading.rates import Per, rates_of
from tests.engine_bench import CRASH_LIMIT, Bench, Place
from tests.engine_scenarios import Scenario

SCENARIOS: list[Scenario] = []
NAMES = "events", "created", "started", "completed", "failed", "cancelled", "retried", "failed_steps"


def scenario(work: Scenario) -> Scenario:
    """Adds it to the list."""
    SCENARIOS.append(work)
    return work


async def counts(place: Place, function: str | None = None, ago: int = 0) -> dict[str, int]:
    """What was counted in the minute that began so many minutes before this one; what was not is left out."""
    now = place.clock.now()
    at = (now // Per.MINUTE - ago) * Per.MINUTE
    [point] = (await rates_of((place.partition,), function, at, at + 1, Per.MINUTE, now)).points
    assert point.at == at
    return {name: number for name, number in zip(NAMES, astuple(point)[1:], strict=True) if number}


async def fail_step(place: Place, lease_of: tuple[str, str], seq: int, key: str) -> None:
    """Records that a step has failed for good."""
    run, token = lease_of
    await place.owner.checkpoint(run, token, seq, key, "run", ok=False, attempts=1, took=0, payload=b"{}")


@scenario
async def what_happens_is_counted_for_its_function_and_in_all(bench: Bench) -> None:
    first, second = await bench.started("app/f||a"), await bench.started("app/f||b")
    third = await bench.started("app/g|")
    await bench.send("app/g|")
    await bench.finish(first)
    await bench.finish(second, "failed")
    await bench.finish(third, "cancelled")
    assert await counts(bench, "app/f") == {"created": 2, "started": 2, "completed": 1, "failed": 1}
    assert await counts(bench, "app/g") == {"created": 2, "started": 1, "cancelled": 1}
    assert await counts(bench) == {
        "events": 4, "created": 4, "started": 3, "completed": 1, "failed": 1, "cancelled": 1,
    }  # fmt: skip


@scenario
async def what_comes_together_is_counted_one_by_one(bench: Bench) -> None:
    runs = [await bench.send(f"app/f||{index % 3}") for index in range(9)]
    others = [await bench.send("app/g|") for _ in range(2)]
    leases = await bench.call("w", "x", "app/f", "app/g")
    assert {lease.run for lease in leases} == {*runs, *others}
    assert (await counts(bench, "app/f"))["started"] == 9
    assert (await counts(bench, "app/g"))["started"] == 2
    assert (await counts(bench))["started"] == 11


@scenario
async def a_repeated_call_counts_nothing(bench: Bench) -> None:
    event = bench.event()
    for _ in range(2):
        await bench.offer(event, "app/f|", sender="s")
    assert await bench.offer(bench.event(), "app/f|", sender="s") == [b"DUP", event.encode()]
    plain = bench.event()
    for _ in range(2):
        await bench.offer(plain, "app/g|")
    [lease] = await bench.call("w", "x")
    assert [again.run for again in await bench.call("w", "x")] == [lease.run]
    for _ in range(2):
        await bench.owner.retry_step(
            lease.run, lease.token, 1, "a", "run", attempts=1, delay=9_000, took=0, error=b"{}"
        )
        await fail_step(bench, (lease.run, lease.token), 2, "b")
    for _ in range(2):
        await bench.owner.finish(lease.run, lease.token, 3, "failed", b"{}")
    assert await bench.runs.cancel(lease.run) == "ENDED"
    assert await counts(bench, "app/f") == {
        "created": 1, "started": 1, "failed": 1, "retried": 1, "failed_steps": 1,
    }  # fmt: skip
    assert (await counts(bench))["events"] == 2


@scenario
async def a_run_is_started_once_however_often_it_is_leased(bench: Bench) -> None:
    lease = await bench.started()
    await bench.release(lease)
    lease = await bench.one()
    await bench.retry_body(lease, 1_000)
    assert await counts(bench, "app/f") == {"created": 1, "started": 1, "retried": 1}
    await bench.pass_time(1_000)
    await bench.one()
    assert (await counts(bench, "app/f"))["started"] == 1


@scenario
async def a_repeated_failure_of_the_function_counts_once(bench: Bench) -> None:
    lease = await bench.started()
    for _ in range(2):
        await bench.owner.retry_body(lease.run, lease.token, 1, delay=9_000, error=b"{}")
    assert await counts(bench, "app/f") == {"created": 1, "started": 1, "retried": 1}


@scenario
async def steps_that_fail_are_counted_and_others_are_not(bench: Bench) -> None:
    lease = await bench.started("app/f||key")
    await bench.record(lease, "good")
    await fail_step(bench, (lease.run, lease.token), 5, "bad")
    await bench.retry(lease, "tried", 1, 9_000)
    await bench.retry(lease, "tried", 2, 9_000)
    await fail_step(bench, (lease.run, lease.token), 6, "tried")
    assert await counts(bench, "app/f") == {"created": 1, "started": 1, "retried": 2, "failed_steps": 2}
    assert (await counts(bench))["failed_steps"] == 2


@scenario
async def a_wait_that_fails_is_a_step_that_fails(bench: Bench) -> None:
    lease = await bench.started()
    for key in ("timed", "given", "slept"):
        await bench.sleep(lease, key, 2_000)
    await bench.runs.resolve(lease.run, "given", ok=False, payload=b"{}")
    await bench.runs.resolve(lease.run, "given", ok=False, payload=b"{}")
    assert (await counts(bench, "app/f"))["failed_steps"] == 1
    await bench.pass_time(2_000)
    assert (await counts(bench, "app/f"))["failed_steps"] == 1


@scenario
async def an_end_by_crashes_is_counted_once(bench: Bench) -> None:
    run = await bench.send()
    for life in range(CRASH_LIMIT + 1):
        assert await bench.lease(f"w{life}", "app/f", "app/f!") == [run]
        await bench.crash(f"w{life}", run)
    assert await bench.status(run) == "failed"
    assert await counts(bench, "app/f") == {"created": 1, "started": 1, "failed": 1}


@scenario
async def a_run_that_is_cancelled_before_it_is_created_counts_as_both(bench: Bench) -> None:
    run = await bench.send(target="1")
    await bench.other.runs.cancel(run, early=True)
    await bench.outbox.deliver()
    assert await counts(bench.other, "app/f") == {"created": 1, "cancelled": 1}
    assert await counts(bench) == {"events": 1}


@scenario
async def each_minute_has_its_own_numbers_across_hours(bench: Bench) -> None:
    bench.clock.advance(Per.HOUR - bench.clock.now() % Per.HOUR - 90_000)
    for _ in range(4):
        await bench.send()
        bench.clock.advance(60_000 - 1)
    assert [(await counts(bench, "app/f", ago)).get("created", 0) for ago in range(6)] == [0, 1, 1, 1, 1, 0]
    now = bench.clock.now()
    found = await rates_of((bench.partition,), "app/f", now - 2 * Per.HOUR, now, Per.HOUR, now)
    assert [point.created for point in found.points] == [0, 2, 2]


@scenario
async def counts_are_forgotten_by_themselves(bench: Bench) -> None:
    await bench.send()
    hour = bench.clock.now() // Per.HOUR
    day = 24 * Per.HOUR
    assert day < await bench.read("PTTL", "k_counts", f"{hour}:app/f") <= day + Per.HOUR
    assert 7 * day < await bench.read("PTTL", "k_counts", f"{hour}:") <= 8 * day
    await bench.read("PERSIST", "k_counts", f"{hour}:")
    await bench.send()
    assert await bench.read("PTTL", "k_counts", f"{hour}:") == -1, "it is set anew only where a number was none"
