"""What the engine promises of steering, one rule at a time; see `engine_scenarios`."""

from dataclasses import replace
from typing import Any

from stepwell.platform.engine.runs import LIFE, Creation, Kept
from stepwell.platform.ids import new_id
from stepwell.platform.records import Lease, StepRow
from tests.engine_bench import BODY, Bench
from tests.engine_scenarios import DAY, Scenario

SCENARIOS: list[Scenario] = []
HOUR = 3_600_000


def scenario(work: Scenario) -> Scenario:
    """Adds it to the list."""
    SCENARIOS.append(work)
    return work


async def copy(bench: Bench, run: str, rows: list[StepRow], life: int = LIFE) -> str:
    """Puts down steps for a run; gives the answer."""
    items = [(row.key, row.text) for row in rows]
    answer: bytes = await bench.partition.script("copy_steps", run, life, items=items)
    return answer.decode()


def another(bench: Bench, lease: Lease, **more: Any) -> Creation:
    """A run that does that of a lease again."""
    run = new_id(bench.clock.now(), bench.partition.index)
    made = Creation(run, "app/f", "v2", lease.event.id, 0, b"", link=f"rerun {lease.run}")
    return replace(made, **more)


async def kept_of(bench: Bench, lease: Lease) -> Kept:
    """All that a run has recorded."""
    rows = list((await bench.steps(lease.run)).values())
    return Kept(rows, max(row.turn for row in rows))


# Who is asked first.


@scenario
async def whoever_asks_first_names_the_run_that_does_it_again(bench: Bench) -> None:
    lease = await bench.started()
    assert await bench.runs.ask_again(lease.run, "one", "A") == "A"
    assert await bench.runs.ask_again(lease.run, "one", "B") == "A"
    assert await bench.runs.ask_again(lease.run, "two", "B") == "B"
    assert [await bench.runs.ask_again(lease.run, "", name) for name in "CD"] == ["C", "D"]
    assert not await bench.read("HEXISTS", "k_run", lease.run, "q:")
    assert await bench.runs.ask_again(lease.run[:-1] + "Z", "one", "A") is None
    assert not await bench.exists("k_run", lease.run[:-1] + "Z")


@scenario
async def what_was_asked_is_counted_once_and_a_repeat_is_answered_when_no_more_may_be(bench: Bench) -> None:
    lease = await bench.started()

    async def ask(request: str, most: int = 2) -> str:
        answer: bytes = await bench.partition.script("ask_again", lease.run, request, "A", most)
        return answer.decode()

    assert [await ask("one"), await ask("one"), await ask(""), await ask("two")] == ["A", "A", "A", "FULL"]
    assert [await ask(""), await ask("one")] == ["FULL", "A"]
    assert await bench.read("HGET", "k_run", lease.run, "reruns") == b"2"
    assert not await bench.read("HEXISTS", "k_run", lease.run, "q:two")


# Who invokes.


@scenario
async def a_run_is_invoked_once_at_a_request_and_has_an_event_of_its_own(bench: Bench) -> None:
    def made(**more: Any) -> Creation:
        run = new_id(bench.clock.now(), bench.partition.index)
        return replace(Creation(run, "app/f", "v1", bench.event(), 0, b"N %s\n%s" % (run.encode(), BODY)), **more)

    first, second = made(), made()
    assert await bench.runs.invoke(first, "mine") == ("OK", first.run)
    assert await bench.runs.invoke(first, "mine") == ("OK", first.run)
    assert await bench.runs.invoke(second, "mine") == ("OK", first.run)
    assert not await bench.exists("k_run", second.run)
    assert not await bench.exists("k_event", second.event)
    assert await bench.runs.invoke(second, "other") == ("OK", second.run)
    assert {lease.run for lease in await bench.call("w", "1")} == {first.run, second.run}
    kept = await bench.read("GET", "k_event", first.event)
    assert kept.split(b"\n", 1)[1] == BODY
    assert await bench.read("XLEN", "k_log") == 0
    alone = made(options="single=key:skip")
    assert await bench.runs.invoke(alone, "alone") == ("OK", alone.run)
    refused = made(options="single=key:skip")
    assert await bench.runs.invoke(refused, "again") == ("SKIPPED", f"singleton:{alone.run}")
    assert not await bench.exists("k_asked", "again"), "asked for again, it may be started"
    ttl = await bench.read("PTTL", "k_asked", "mine")
    assert 0 < ttl <= DAY


# What is kept.


@scenario
async def a_run_that_is_done_again_has_what_was_kept_and_goes_on_from_there(bench: Bench) -> None:
    lease = await bench.started()
    for key in "ab":
        await bench.record(lease, key, key.encode())
    kept, made = await kept_of(bench, lease), another(bench, lease)
    fields = replace(kept, fields=[("k:a", "child"), ("w:mark", "7")])
    assert [await bench.runs.rerun(made, fields), await bench.runs.rerun(made, fields)] == ["OK", "DUP"]
    assert await bench.steps(made.run) == await bench.steps(lease.run)
    header = await bench.header(made.run)
    assert (header.turn, header.steps, header.bytes, header.pending) == (2, 2, 2, 0)
    assert (header.rerun_of, header.version, header.status) == (lease.run, "v2", "queued")
    assert [await bench.read("HGET", "k_run", made.run, name) for name in ("k:a", "w:mark")] == [b"child", b"7"]
    again = await bench.one()
    assert (again.run, again.turn, [row.key for row in again.rows or ()]) == (made.run, 2, ["a", "b"])
    assert await bench.record(again, "a", b"other") == 1
    assert (await bench.steps(made.run))["a"].payload == b"a"
    assert await bench.record(again, "c") == 3


@scenario
async def what_was_put_down_is_gone_unless_its_run_is_created(bench: Bench) -> None:
    lease = await bench.started()
    await bench.record(lease, "a")
    kept, left, made = await kept_of(bench, lease), another(bench, lease), another(bench, lease)
    assert await copy(bench, left.run, [*kept.rows]) == "OK"
    assert 0 < await bench.read("PTTL", "k_steps", left.run) <= LIFE
    assert await bench.runs.rerun(made, kept) == "OK"
    assert await bench.read("PTTL", "k_steps", made.run) == -1
    assert await copy(bench, made.run, [replace(kept.rows[0], payload=b"other")]) == "DUP"
    assert (await bench.read("PTTL", "k_steps", made.run), await bench.steps(made.run)) == (
        -1,
        await bench.steps(lease.run),
    )


@scenario
async def a_run_is_not_created_without_all_that_was_kept(bench: Bench) -> None:
    lease = await bench.started()
    for key in "ab":
        await bench.record(lease, key)
    kept, made = await kept_of(bench, lease), another(bench, lease)

    async def create() -> str:
        fixed = made.run, made.lane, made.version, made.event, "-", made.link, "-", 2, 2, 2, 9, b""
        return str((await bench.partition.script("rerun", *fixed)).decode())

    assert await create() == "INCOMPLETE"
    await copy(bench, made.run, [kept.rows[0]])
    assert await create() == "INCOMPLETE"
    assert not await bench.exists("k_run", made.run)
    await copy(bench, made.run, [*kept.rows])
    assert await create() == "OK"


# Its event.


@scenario
async def an_event_is_kept_for_each_run_that_does_another_again(bench: Bench) -> None:
    lease = await bench.started()
    made = another(bench, lease)
    assert [await bench.runs.rerun(made, Kept()) for _ in range(2)] == ["OK", "DUP"]
    await bench.finish(lease)
    bench.clock.advance(DAY)
    assert (await bench.ticks.trim_events(DAY), await bench.ticks.trim_runs(DAY)) == (1, 1)
    again = await bench.one()
    assert again.event == replace(lease.event, runs=(lease.run, made.run))
    await bench.finish(again)
    bench.clock.advance(DAY)
    assert await bench.ticks.trim_runs(DAY) == 1
    assert not await bench.exists("k_event", lease.event.id)
    assert await bench.runs.rerun(another(bench, lease), Kept()) == "GONE"


@scenario
async def an_event_that_is_brought_along_is_kept_where_there_was_none(bench: Bench) -> None:
    lease = await bench.started()
    event = bench.event()
    made = another(bench, lease, event=event)
    assert await bench.runs.rerun(made, Kept()) == "GONE"
    assert not await bench.exists("k_run", made.run)
    record = b"N %s\n%s" % (made.run.encode(), BODY)
    assert await bench.runs.rerun(replace(made, record=record), Kept()) == "OK"
    again = await bench.one()
    assert (again.event.id, again.event.runs, again.event.received) == (event, (made.run,), bench.clock.now())
    assert again.event.position > lease.event.position
    other = another(bench, lease, event=event, record=b"T 5 6 ignored\n%s" % BODY)
    assert await bench.runs.rerun(other, Kept()) == "OK"
    assert (await bench.one()).event == replace(again.event, runs=(made.run, other.run))
    moved = another(bench, lease, event=bench.event())
    record = b"T 5 6 %s\n%s" % (moved.run.encode(), BODY)
    assert await bench.runs.rerun(replace(moved, record=record), Kept()) == "OK"
    known = (await bench.one()).event
    assert (known.received, known.position, known.runs) == (5, 6, (moved.run,))


@scenario
async def an_event_has_as_many_runs_as_there_is_room_for(bench: Bench) -> None:
    lease = await bench.started()

    async def create(most: int) -> str:
        made = another(bench, lease)
        fixed = made.run, made.lane, made.version, made.event, "-", made.link, "-", 0, 0, 0, most, b""
        answer = str((await bench.partition.script("rerun", *fixed)).decode())
        assert await bench.exists("k_run", made.run) == (answer == "OK")
        return answer

    assert [await create(1), await create(2), await create(2), await create(3)] == ["FULL", "OK", "FULL", "OK"]


# By hand.


@scenario
async def a_wait_is_woken_once_and_only_a_wait(bench: Bench) -> None:
    lease = await bench.started()
    await bench.record(lease, "done")
    await bench.sleep(lease, "nap", HOUR)
    await bench.retry(lease, "later", 1, HOUR)
    answers = [await bench.runs.wake(lease.run, key) for key in ("nap", "nap", "later", "done", "none")]
    assert answers == ["OK", "DONE", "DONE", "DONE", "GONE"]
    steps = await bench.steps(lease.run)
    assert (steps["nap"].state, steps["later"].state) == ("done", "retrying")


@scenario
async def what_is_to_be_tried_again_is_hurried_once_and_nothing_else(bench: Bench) -> None:
    lease = await bench.started()
    await bench.sleep(lease, "nap", HOUR)
    await bench.retry(lease, "later", 1, HOUR)
    answers = [await bench.runs.retry_now(lease.run, key) for key in ("nap", "later", "later", "none", "")]
    assert answers == ["DONE", "OK", "DONE", "GONE", "DONE"]
    assert (await bench.steps(lease.run))["nap"].state == "pending"
    other = await bench.started()
    await bench.retry_body(other, HOUR)
    assert [await bench.runs.retry_now(other.run) for _ in range(2)] == ["OK", "DONE"]
    assert (await bench.one()).run == other.run
