"""What the engine promises of bulk jobs, one rule at a time; see `engine_scenarios`."""

import pytest

from stepwell.platform.bulk.job import Job
from stepwell.platform.bulk.jobs import LIFE, MOST_AT_ONCE, MOST_KEPT, MOST_REASONS, TTL, Jobs, Note, Outcome
from stepwell.platform.bulk.order import BulkOrder
from stepwell.platform.bulk.wanted import Wanted
from stepwell.platform.ids import digest_of, new_id
from stepwell.platform.records import Status
from stepwell.platform.steering.refusals import NotNow
from tests.engine_bench import Bench
from tests.engine_scenarios import DAY, Scenario

SCENARIOS: list[Scenario] = []
ORDER = BulkOrder("rerun", Wanted(status=Status.FAILED))


def scenario(work: Scenario) -> Scenario:
    """Adds it to the list."""
    SCENARIOS.append(work)
    return work


async def begun(bench: Bench, request: str | None = None) -> str:
    """A job that was made later than those before."""
    bench.clock.advance(1)
    return await Jobs(bench.partition).begin(ORDER, "oncall", request)


async def sent(bench: Bench, id: str, most: int = MOST_AT_ONCE) -> str:
    """What is answered to an order without a request for a job of this id."""
    answer: bytes = await bench.partition.script("bulk_begin", id, "", LIFE, most, ORDER.text, 100, "oncall")
    return answer.decode()


async def job_of(bench: Bench, id: str) -> Job:
    """A job that there is."""
    job = await Jobs(bench.partition).get(id)
    assert job
    return job


async def taken(bench: Bench, token: str = "me") -> Job:
    """A new job that is somebody's."""
    job = await Jobs(bench.partition).take(await begun(bench), token)
    assert job
    return job


async def ended(bench: Bench) -> str:
    """A job that has ended, with a run that it has steered."""
    job = await taken(bench)
    note = Note("-", (), [Outcome("a", "b")], matched=1, ending="done")
    assert await Jobs(bench.partition).note(job, "me", note) == "OVER"
    return job.id


async def trimmed(bench: Bench, age: int, most: int = 1_000, limit: int = 64) -> int:
    """How many jobs were removed."""
    count: int = await bench.partition.script("trim_bulks", age, most, limit)
    return count


# Making one.


@scenario
async def the_same_request_is_the_same_job_for_as_long_as_there_is_one(bench: Bench) -> None:
    first = await begun(bench, "mine")
    assert await begun(bench, "mine") == first
    assert await begun(bench, "another") != first
    life = await bench.read("PTTL", "k_ordered", digest_of("mine"))
    assert 0 < life <= LIFE
    assert not await bench.exists("k_ordered")
    assert await Jobs(bench.partition).take(first, "me")
    assert await Jobs(bench.partition).note(await job_of(bench, first), "me", Note("-", ending="done")) == "OVER"
    assert await begun(bench, "mine") == first
    bench.clock.advance(1)
    assert await trimmed(bench, 0) == 1
    assert await begun(bench, "mine") != first


@scenario
async def an_order_that_is_sent_twice_is_one_job(bench: Bench) -> None:
    id = new_id(bench.clock.now())
    assert [await sent(bench, id, 1) for _ in range(2)] == [id, id]
    assert await sent(bench, new_id(bench.clock.now()), 1) == "FULL"
    job = await Jobs(bench.partition).take(id, "me")
    assert job
    assert await Jobs(bench.partition).note(job, "me", Note("-", ending="done")) == "OVER"
    over = await job_of(bench, id)
    assert await sent(bench, id, 1) == id
    assert await job_of(bench, id) == over
    assert await Jobs(bench.partition).open() == []


@scenario
async def so_many_jobs_go_on_at_once_and_those_that_have_ended_do_not_count(bench: Bench) -> None:
    await ended(bench)
    ids = [new_id(bench.clock.now() + number) for number in range(3)]
    assert [await sent(bench, id, 2) for id in ids] == [*ids[:2], "FULL"]
    assert await Jobs(bench.partition).open() == sorted(ids[:2])
    assert await Jobs(bench.partition).get(ids[2]) is None


# Carrying it on.


@scenario
async def a_job_is_of_one_until_nothing_is_heard_of_that(bench: Bench) -> None:
    jobs, job = Jobs(bench.partition), await taken(bench)
    bench.clock.advance(TTL - 1)
    assert await jobs.take(job.id, "other") is None
    assert await jobs.take(job.id, "me")
    bench.clock.advance(TTL - 1)
    assert await jobs.take(job.id, "other") is None
    assert await jobs.note(job, "me", Note("c", ["a"], matched=1)) == "OK"
    bench.clock.advance(TTL - 1)
    assert await jobs.take(job.id, "other") is None
    bench.clock.advance(1)
    again = await jobs.take(job.id, "other")
    assert again
    assert (again.cursor, again.todo, again.seq, again.matched) == ("c", ("a",), 1, 1)
    assert await jobs.note(job, "me", Note("d", ["b"], matched=1)) == "LOST"
    assert await job_of(bench, job.id) == again


@scenario
async def a_note_is_written_once(bench: Bench) -> None:
    jobs, job = Jobs(bench.partition), await taken(bench)
    found = Note("c", ["a", "b"], searched=5, total=9, undecided=2, matched=2)
    assert [await jobs.note(job, "me", found) for _ in range(2)] == ["OK", "OK"]
    job = await job_of(bench, job.id)
    assert (job.searched, job.total, job.undecided, job.matched, job.todo) == (5, 9, 2, 2, ("a", "b"))
    acted = Note("c", ["b"], [Outcome("a", "A")], searched=1, total=20)
    assert [await jobs.note(job, "me", acted) for _ in range(2)] == ["OK", "OK"]
    job = await job_of(bench, job.id)
    assert (job.searched, job.total, job.done, job.todo, job.refused) == (6, 9, 1, ("b",), ())
    assert await jobs.handled(job.id) == ["A"]


@scenario
async def what_is_kept_of_runs_and_reasons_is_bounded(bench: Bench) -> None:
    jobs, job = Jobs(bench.partition), await taken(bench)
    for seq, first in enumerate(range(0, MOST_KEPT + 40, 20), 1):
        outcomes = [(f"r{number}", f"m{number}", "") for number in range(first, first + 20)]
        await bench.partition.script(
            "bulk_note", job.id, "me", TTL, seq, "", "", 0, 0, 0, 0, "", "", MOST_KEPT, MOST_REASONS, items=outcomes
        )
    assert await jobs.handled(job.id) == [f"m{number}" for number in range(MOST_KEPT)]
    job = await job_of(bench, job.id)
    refused = [Outcome(f"r{number}", reason=f"because {number % 20}\n|") for number in range(60)]
    assert await jobs.note(job, "me", Note("", (), refused)) == "OK"
    job = await job_of(bench, job.id)
    assert (job.done, sum(one.count for one in job.refused)) == (MOST_KEPT + 40, 60)
    others, *reasons = job.refused
    assert (others.reason, others.count, others.examples) == ("for another reason", 12, ("r16", "r17", "r18"))
    assert {one.reason for one in reasons} == {f"because {number}\n|" for number in range(MOST_REASONS)}
    assert {(one.count, len(one.examples)) for one in reasons} == {(3, 3)}
    assert await jobs.note(job, "me", Note("", (), [Outcome("r60", reason="because 0\n|")])) == "OK"
    [most] = [one for one in (await job_of(bench, job.id)).refused if one.reason == "because 0\n|"]
    assert (most.count, most.examples) == (4, ("r0", "r20", "r40"))


# Its end.


@scenario
async def what_has_ended_stays_as_it_is(bench: Bench) -> None:
    jobs, job = Jobs(bench.partition), await taken(bench)
    assert await jobs.note(job, "me", Note("c", ["a"], ending="failed", problem="E: why")) == "OVER"
    over = await job_of(bench, job.id)
    assert (over.state, over.problem, over.ended, over.todo) == ("failed", "E: why", bench.clock.now(), ())
    assert await jobs.open() == []
    bench.clock.advance(5)
    assert await jobs.note(job, "me", Note("c", ["a"], ending="failed", problem="E: why")) == "OVER"
    assert await jobs.take(job.id, "me") is None
    assert await jobs.stop(job.id) == "OVER"
    assert await job_of(bench, job.id) == over
    assert await bench.read("HMGET", "k_bulk", job.id, "owner", "till", "todo") == [None, None, None]


@scenario
async def a_job_that_is_to_stop_does_so_at_its_next_note(bench: Bench) -> None:
    jobs, job = Jobs(bench.partition), await taken(bench)
    assert [await jobs.stop(job.id) for _ in range(2)] == ["OK", "OK"]
    assert ((await job_of(bench, job.id)).state, await jobs.open()) == ("stopping", [job.id])
    assert await jobs.take(job.id, "other") is None
    assert await jobs.note(job, "me", Note("c", ["b"], [Outcome("a", "A")], matched=2)) == "OVER"
    over = await job_of(bench, job.id)
    assert (over.state, over.done, over.ended, await jobs.open()) == ("stopped", 1, bench.clock.now(), [])
    assert await jobs.stop(new_id(bench.clock.now())) == "GONE"


@scenario
async def a_job_that_is_to_stop_ends_with_whoever_takes_it_next(bench: Bench) -> None:
    jobs, job = Jobs(bench.partition), await taken(bench)
    await jobs.stop(job.id)
    bench.clock.advance(TTL)
    assert await jobs.take(job.id, "other") is None
    assert ((await job_of(bench, job.id)).state, await jobs.open()) == ("stopped", [])


@scenario
async def a_job_that_was_stopped_goes_on_where_it_was(bench: Bench) -> None:
    jobs, job = Jobs(bench.partition), await taken(bench)
    await jobs.stop(job.id)
    assert await jobs.note(job, "me", Note("c", ["b"], [Outcome("a", "A")], matched=2)) == "OVER"
    assert [await jobs.resume(job.id) for _ in range(2)] == ["OK", "OK"]
    assert await jobs.open() == [job.id]
    again = await jobs.take(job.id, "other")
    assert again
    assert (again.state, again.cursor, again.todo, again.done, again.ended) == ("running", "c", ("b",), 1, 0)
    await jobs.stop(job.id)
    assert await jobs.resume(job.id) == "OK", "it had not stopped yet"
    assert await jobs.note(again, "other", Note("c", (), [Outcome("b", "B")], ending="done")) == "OVER"
    assert await jobs.resume(job.id) == "OVER"
    assert ((await job_of(bench, job.id)).state, await jobs.open()) == ("done", [])
    assert await jobs.resume(new_id(bench.clock.now())) == "GONE"


@scenario
async def one_too_many_does_not_go_on(bench: Bench) -> None:
    jobs, job = Jobs(bench.partition), await taken(bench)
    await jobs.stop(job.id)
    assert await jobs.note(job, "me", Note("c")) == "OVER"
    for _ in range(MOST_AT_ONCE):
        bench.clock.advance(1)
        await jobs.begin(job.order, "")
    with pytest.raises(NotNow):
        await jobs.resume(job.id)
    assert (await job_of(bench, job.id)).state == "stopped"


# What is kept.


@scenario
async def jobs_go_when_they_are_old_and_leave_nothing(bench: Bench) -> None:
    before = await bench.left()
    over, open_ = await ended(bench), await begun(bench)
    bench.clock.advance(DAY - 2)
    assert await trimmed(bench, DAY) == 0
    bench.clock.advance(1)
    assert await trimmed(bench, DAY) == 1
    assert await Jobs(bench.partition).get(over) is None
    assert await Jobs(bench.partition).open() == [open_]
    assert await bench.left() - before == {
        bench.partition.keys.name("k_bulk", open_),
        bench.partition.keys.name("k_bulks"),
    }


@scenario
async def of_many_that_have_ended_the_oldest_go(bench: Bench) -> None:
    over, going = [await ended(bench) for _ in range(4)], [await begun(bench) for _ in range(3)]
    assert await trimmed(bench, DAY, most=4) == 0
    assert await trimmed(bench, DAY, most=1, limit=2) == 2
    assert [id for id in over if await Jobs(bench.partition).get(id)] == over[2:]
    assert await trimmed(bench, DAY, most=0) == 2
    assert await Jobs(bench.partition).open() == going
