"""What the engine promises of what runs say, one rule at a time; see `engine_scenarios`."""

import asyncio

import pytest

from stepwell.platform.engine.answers import Stale
from stepwell.platform.engine.logs import Logs
from stepwell.platform.reading.logs import log_of, progress_of
from stepwell.platform.records import Lease
from stepwell.platform.store.keys import SAID
from tests.engine_bench import Bench
from tests.engine_scenarios import DAY, Scenario

SCENARIOS: list[Scenario] = []
LINES, BYTES = 5, 1_000


def scenario(work: Scenario) -> Scenario:
    """Adds it to the list."""
    SCENARIOS.append(work)
    return work


def line(text: str) -> bytes:
    """A line as a worker writes it."""
    return b'{"at":1,"level":"info","step":"","attempt":1,"message":"%s","fields":{}}' % text.encode()


def logs_of(bench: Bench) -> Logs:
    """Keeps 5 lines, and 1,000 bytes."""
    return Logs(bench.partition, LINES, BYTES)


async def say(bench: Bench, lease: Lease, seq: int, *texts: str, lost: int = 0) -> None:
    """A worker sends lines."""
    await logs_of(bench).keep(lease.run, lease.token, seq, b"\n".join(map(line, texts)), lost=lost)


async def said(bench: Bench, run: str, after: int = 0, limit: int = 100) -> tuple[list[tuple[int, str]], int]:
    """Number and text of lines of a run, and how many were dropped."""
    page = await log_of(bench.partition, run, after, limit)
    assert page is not None
    return [(one.number, one.message) for one in page.lines], page.dropped


@scenario
async def lines_are_kept_in_their_order(bench: Bench) -> None:
    lease = await bench.started()
    await say(bench, lease, 1, "a", "b")
    await say(bench, lease, 2, "c")
    assert await said(bench, lease.run) == ([(1, "a"), (2, "b"), (3, "c")], 0)
    assert await said(bench, lease.run, after=1, limit=1) == ([(2, "b")], 0)
    assert await said(bench, lease.run, after=3) == ([], 0)


@scenario
async def of_too_many_lines_the_oldest_go_and_are_counted(bench: Bench) -> None:
    lease = await bench.started()
    await say(bench, lease, 1, *"abcd")
    await say(bench, lease, 2, *"efg")
    assert await said(bench, lease.run) == ([(3, "c"), (4, "d"), (5, "e"), (6, "f"), (7, "g")], 2)
    assert await said(bench, lease.run, after=1) == await said(bench, lease.run)
    assert await said(bench, lease.run, after=5) == ([(6, "f"), (7, "g")], 2)


@scenario
async def exactly_as_many_lines_as_may_be_are_kept(bench: Bench) -> None:
    lease = await bench.started()
    await say(bench, lease, 1, *"abcde")
    assert len((await said(bench, lease.run))[0]) == LINES


@scenario
async def of_too_many_bytes_the_oldest_go(bench: Bench) -> None:
    lease = await bench.started()
    size = len(line("")) + 300
    for seq, letter in enumerate("abc", 1):
        await say(bench, lease, seq, letter * 300)
    kept, dropped = await said(bench, lease.run)
    assert [text[0] for _, text in kept] == ["b", "c"]
    assert (dropped, 2 * size <= BYTES < 3 * size) == (1, True)
    await say(bench, lease, 4, "d")  # what has gone has made room
    assert [number for number, _ in (await said(bench, lease.run))[0]] == [2, 3, 4]


@scenario
async def lines_that_were_lost_on_the_way_are_counted(bench: Bench) -> None:
    lease = await bench.started()
    await say(bench, lease, 1, "a")
    await say(bench, lease, 2, "b", "c", lost=10)
    assert await said(bench, lease.run) == ([(12, "b"), (13, "c")], 11)
    await say(bench, lease, 3, *"defg")
    assert (await said(bench, lease.run))[1] == 12


@scenario
async def lines_that_come_again_are_kept_once(bench: Bench) -> None:
    lease = await bench.started()
    for seq in (1, 1, 2, 1, 2):
        await say(bench, lease, seq, f"line {seq}")
    assert await said(bench, lease.run) == ([(1, "line 1"), (2, "line 2")], 0)


@scenario
async def each_lease_counts_for_itself(bench: Bench) -> None:
    first = await bench.started()
    await say(bench, first, 1, "a")
    await bench.release(first)
    second = await bench.one("other")
    await say(bench, second, 1, "b")
    assert await said(bench, first.run) == ([(1, "a"), (2, "b")], 0)


@scenario
async def a_stale_token_writes_nothing(bench: Bench) -> None:
    lease = await bench.started()
    logs = logs_of(bench)
    await bench.crash("w")
    with pytest.raises(Stale):  # nobody has it
        await say(bench, lease, 1, "a")
    again = await bench.one("other")
    with pytest.raises(Stale):  # somebody else has it
        await logs.keep(lease.run, lease.token, 1, line("a"), step="one", progress=b"{}")
    assert await said(bench, lease.run) == ([], 0)
    assert not await bench.exists("k_progress", lease.run)
    assert (await bench.header(lease.run)).progress == b""
    await say(bench, again, 1, "b")
    assert await said(bench, lease.run) == ([(1, "b")], 0)


@scenario
async def a_worker_may_say_its_last_words_behind_the_end(bench: Bench) -> None:
    suspended, ended = await bench.started(), await bench.started()
    await bench.sleep(suspended, "nap", 1_000)
    await bench.suspend(suspended)
    await bench.finish(ended)
    for lease in (suspended, ended):
        await say(bench, lease, 1, "last")
        assert await said(bench, lease.run) == ([(1, "last")], 0)


@scenario
async def who_was_cancelled_over_its_head_says_nothing_more(bench: Bench) -> None:
    lease = await bench.started()
    await bench.runs.cancel(lease.run)
    for _ in range(40):
        await bench.leases.beat("w")
        await bench.pass_time(1_000)
    assert await bench.status(lease.run) == "cancelled"
    with pytest.raises(Stale):
        await say(bench, lease, 1, "a")


@scenario
async def a_run_that_is_not_there_gets_no_lines(bench: Bench) -> None:
    lease = await bench.started()
    await bench.finish(lease)
    bench.clock.advance(DAY)
    assert await bench.ticks.trim_runs(DAY) == 1
    with pytest.raises(Stale):
        await say(bench, lease, 1, "a")
    assert await log_of(bench.partition, lease.run, 0, 10) is None
    assert not await bench.exists("k_logs", lease.run)


@scenario
async def what_a_run_has_said_goes_with_it(bench: Bench) -> None:
    lease = await bench.started()
    await logs_of(bench).keep(lease.run, lease.token, 1, line("a"), step="one", progress=b"{}")
    await bench.finish(lease)
    assert await bench.exists("k_logs", lease.run)
    assert await bench.exists("k_progress", lease.run)
    bench.clock.advance(DAY)
    await bench.ticks.trim_runs(DAY)
    assert not await bench.exists("k_logs", lease.run)
    assert not await bench.exists("k_progress", lease.run)


@scenario
async def the_newest_progress_counts_of_each_step_and_of_the_run(bench: Bench) -> None:
    lease = await bench.started()
    said: list[tuple[str, float]] = [("", 0.1), ("one", 0.2), ("two", 0.3), ("one", 0.4)]
    for seq, (step, value) in enumerate(said, 1):
        progress = b'{"at":1,"value":%.1f,"text":"","step":"%s","attempt":1}' % (value, step.encode())
        await logs_of(bench).keep(lease.run, lease.token, seq, b"", step=step, progress=progress)
    assert b'"value":0.4' in (await bench.header(lease.run)).progress
    steps = await progress_of(bench.partition, lease.run)
    assert {step: progress.value for step, progress in steps.items()} == {"one": 0.4, "two": 0.3}
    assert not await bench.exists("k_logs", lease.run)
    await bench.finish(lease)
    assert b'"value":0.4' in (await bench.header(lease.run)).progress


@scenario
async def who_follows_is_told_once_a_call(bench: Bench) -> None:
    one, two = await bench.started(), await bench.started()
    item = [(one.run, one.token, 1, 0, "", "", line("a")), (one.run, one.token, 2, 0, "", "", line("b"))]
    stale = (two.run, "gone:1", 1, 0, "", "", line("c"))
    async with bench.partition.store.subscribe(SAID) as messages, asyncio.timeout(2):
        assert await anext(messages) is None
        answers = await bench.partition.script("log", LINES, BYTES, items=[*item, stale])
        assert answers == [b"OK", b"OK", b"STALE"]
        assert await anext(messages) == (SAID, one.run.encode())
