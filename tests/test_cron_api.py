"""Schedules over HTTP and from the command line: reading them, and steering them."""

import asyncio
from collections.abc import AsyncGenerator, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import httpx2
import pytest

from stepwell.platform.cli import main
from stepwell.platform.cron.deciding import SLICE
from stepwell.platform.cron.schedule import Schedule
from stepwell.platform.engine.partition import Argument, Partition
from stepwell.platform.scheduler import Scheduler
from stepwell.platform.store.memory import memory_store
from tests.api_desk import Desk, function

START = 1_767_225_600_000
"""When a desk begins: midnight of 1 January 2026."""
HOUR = 3_600_000


def timed(name: str, **choices: Any) -> dict[str, Any]:
    """A function that is started by the clock."""
    return {"id": name, "triggers": [{"cron": "@hourly", **choices}], "retries": {"times": 4}}


@pytest.fixture
async def desk() -> AsyncGenerator[Desk]:
    async with memory_store() as store:
        desk = Desk.over(store)
        await desk.register(timed("tidy", catch_up="all", window=24 * HOUR), function("fulfil"))
        yield desk


@pytest.fixture
async def client(desk: Desk) -> AsyncGenerator[httpx2.AsyncClient]:
    async with desk.client() as client:
        yield client


async def ask(client: httpx2.AsyncClient, method: str, path: str, status: int = 200) -> Any:
    answer = await client.request(method, f"/api/v1/schedules{path}")
    assert answer.status_code == status, answer.text
    return answer.json()["data" if status == 200 else "error"]


async def only(client: httpx2.AsyncClient) -> str:
    """The path of the only schedule."""
    [found] = await ask(client, "GET", "")
    return f"/{found['id']}"


async def advance(desk: Desk, ms: int) -> None:
    """Lets time pass, and what is due happen."""
    desk.clock.advance(ms)
    installation = desk.installation
    await Scheduler(installation.partitions, desk.clock, installation.settings, installation.waits.errands).tick()


async def test_schedules_are_listed_with_their_next_and_last_times(desk: Desk, client: httpx2.AsyncClient) -> None:
    [found] = await ask(client, "GET", "?function=shop/tidy")
    assert found == {
        "id": found["id"],
        "function": "shop/tidy",
        "app": "shop",
        "cron": "@hourly",
        "tz": "UTC",
        "jitter": 0,
        "overlap": "allow",
        "catch_up": "all",
        "window": 24 * HOUR,
        "next_at": START + HOUR,
        "skips": None,
        "last_at": None,
        "last_fired_at": None,
        "last_run": None,
        "missed": 0,
        "skipped": 0,
        "held": [],
        "paused_at": None,
    }
    await advance(desk, HOUR + 7)
    one = await ask(client, "GET", f"/{found['id']}")
    assert (one["last_at"], one["last_fired_at"]) == (START + HOUR, START + HOUR + 7)
    assert one["upcoming"] == [START + hour * HOUR for hour in range(2, 7)]
    run = (await client.get(f"/api/v1/runs/{one['last_run']}")).json()["data"]
    assert (run["event_name"], run["function"], run["created_at"]) == (
        "inngest/scheduled.timer",
        "shop/tidy",
        START + HOUR,
    )
    event = (await client.get(f"/api/v1/events/{run['event_id']}")).json()["data"]
    assert (event["data"], event["ts"], event["runs"]) == ({"cron": "@hourly"}, START + HOUR, [run["id"]])
    assert (await client.get("/api/v1/events")).json()["data"] == []
    assert await ask(client, "GET", "?function=shop/fulfil") == []


async def test_a_function_says_its_schedules(client: httpx2.AsyncClient) -> None:
    found = (await client.get("/api/v1/functions/shop/tidy")).json()["data"]["triggers"]
    expected = {"tz": "UTC", "jitter": 0, "overlap": "allow", "catch_up": "all", "window": 24 * HOUR}
    assert found == [{"cron": "@hourly", **expected}]


async def test_a_pause_and_its_end(desk: Desk, client: httpx2.AsyncClient) -> None:
    path = await only(client)
    for _ in range(2):
        paused = await ask(client, "POST", f"{path}/pause")
        assert (paused["paused_at"], paused["next_at"], paused["upcoming"]) == (START, None, [])
    await advance(desk, 2 * HOUR + 1)
    assert (await ask(client, "GET", path))["last_at"] is None
    assert (await ask(client, "POST", f"{path}/resume"))["paused_at"] is None
    await advance(desk, 1)
    one = await ask(client, "GET", path)
    assert (one["last_at"], one["next_at"], one["missed"]) == (START + 2 * HOUR, START + 3 * HOUR, 0)


async def test_the_next_time_can_be_left_out(desk: Desk, client: httpx2.AsyncClient) -> None:
    path = await only(client)
    for _ in range(2):
        skipping = await ask(client, "POST", f"{path}/skip")
        assert (skipping["skips"], skipping["next_at"]) == (START + HOUR, START + 2 * HOUR)
    await advance(desk, HOUR)
    one = await ask(client, "GET", path)
    assert (one["skips"], one["skipped"], one["last_at"], one["next_at"]) == (None, 1, None, START + 2 * HOUR)
    await advance(desk, HOUR)
    assert (await ask(client, "GET", path))["last_at"] == START + 2 * HOUR


async def test_a_run_can_be_started_now_beside_the_plan(desk: Desk, client: httpx2.AsyncClient) -> None:
    path = await only(client)
    runs = {(await ask(client, "POST", f"{path}/run"))["run"] for _ in range(2)}
    assert len(runs) == 2
    assert {lease.run for lease in await desk.lease("shop/tidy")} == runs
    one = await ask(client, "GET", path)
    assert (one["next_at"], one["last_run"]) == (START + HOUR, None)


@pytest.mark.parametrize(
    ("control", "says", "helps"),
    [
        ({"idempotency": {"key": "event.name", "period": HOUR}}, "the same idempotency key came first: ", "Rerun that"),
        ({"singleton": {}}, "another run of its singleton key had not ended: ", "Wait until that one has ended"),
        ({"rate_limit": {"limit": 1, "period": HOUR}}, "as many runs as its rate limit lets start", "Try again when"),
    ],
)
async def test_a_run_that_a_control_holds_back_is_not_started_and_why_is_said(
    desk: Desk, client: httpx2.AsyncClient, control: dict[str, Any], says: str, helps: str
) -> None:
    await desk.register({**timed("tidy"), **control})
    path = await only(client)
    first = (await ask(client, "POST", f"{path}/run"))["run"]
    error = await ask(client, "POST", f"{path}/run", 409)
    assert (error["code"], helps in error["hint"]) == ("not_now", True)
    assert f"{path[1:]} has started no run: " in error["message"]
    assert says in error["message"]
    assert [lease.run for lease in await desk.lease("shop/tidy")] == [first]


async def test_a_paused_function_that_drops_says_so_to_who_runs_its_schedule(
    desk: Desk, client: httpx2.AsyncClient
) -> None:
    path = await only(client)
    answer = await client.post("/api/v1/functions/shop/tidy/pause?mode=drop")
    assert answer.status_code == 200, answer.text
    assert (await ask(client, "POST", f"{path}/run", 409))["hint"] == "Resume the function first"


async def test_schedules_of_functions_that_share_slots_are_found_where_these_live() -> None:
    shared = {"concurrency": [{"limit": 1, "scope": "app", "name": "printer"}]}
    names = [f"f{number}" for number in range(8)]
    async with memory_store(partitions=4) as store:
        desk = Desk.over(store)
        await desk.register(*[{**timed(name), **shared} for name in names])
        await advance(desk, HOUR)
        async with desk.client() as client:
            found = await ask(client, "GET", "")
            assert [one["last_at"] for one in found] == [START + HOUR] * 8
            for one in found:
                started = (await ask(client, "POST", f"/{one['id']}/run"))["run"]
                assert (await client.get(f"/api/v1/runs/{started}")).status_code == 200
                assert (await ask(client, "POST", f"/{one['id']}/pause"))["paused_at"] == START + HOUR
                day = f"from={START - 24 * HOUR}&to={START}"
                assert len((await ask(client, "POST", f"/{one['id']}/backfill?{day}"))["runs"]) == 24
            await advance(desk, HOUR)
            assert [one["last_at"] for one in await ask(client, "GET", "")] == [START + HOUR] * 8


async def test_runs_are_started_as_the_function_is_registered_by_then(
    desk: Desk, client: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is registered anew after the registry has been read, and before the runs are created."""
    path, script, versions = await only(client), Partition.script, list[str]()

    async def late(partition: Partition, verb: str, *fixed: Argument, items: Sequence[Sequence[Argument]] = ()) -> Any:
        if verb == "start" and versions:
            await Desk.over(partition.store).register(timed("tidy"), version=versions.pop())
        return await script(partition, verb, *fixed, items=items)

    async def version_of(run: str) -> str:
        return str((await client.get(f"/api/v1/runs/{run}")).json()["data"]["version"])

    monkeypatch.setattr(Partition, "script", late)
    versions.append("2")
    assert await version_of((await ask(client, "POST", f"{path}/run"))["run"]) == "2"
    versions.append("3")
    [run] = (await ask(client, "POST", f"{path}/backfill?from={START - HOUR}&to={START}"))["runs"]
    assert await version_of(run) == "3"


async def test_a_run_whose_reply_is_lost_is_started_once_and_named(
    desk: Desk, client: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, script = await only(client), Partition.script

    async def twice(partition: Partition, verb: str, *fixed: Argument, items: Sequence[Sequence[Argument]] = ()) -> Any:
        if verb == "start":
            await script(partition, verb, *fixed, items=items)
        return await script(partition, verb, *fixed, items=items)

    monkeypatch.setattr(Partition, "script", twice)
    run = (await ask(client, "POST", f"{path}/run"))["run"]
    assert [lease.run for lease in await desk.lease("shop/tidy")] == [run]


async def test_a_range_is_backfilled_and_no_time_gets_two_runs(desk: Desk, client: httpx2.AsyncClient) -> None:
    path = await only(client)
    await advance(desk, 3 * HOUR)
    query = f"?from={START - 3 * HOUR}&to={START + 2 * HOUR}"
    done = await ask(client, "POST", f"{path}/backfill{query}")
    assert (len(done["runs"]), done["existing"]) == (4, 1)
    assert await ask(client, "POST", f"{path}/backfill{query}") == {"runs": [], "existing": 5}
    leases = await desk.lease("shop/tidy")
    assert sorted(lease.event.ts - START for lease in leases) == [hour * HOUR for hour in (-3, -2, -1, 0, 1, 2, 3)]
    assert (await ask(client, "POST", f"{path}/backfill?from={START}"))["existing"] == 3, (
        "to the present, which does not count"
    )
    assert (await ask(client, "POST", f"{path}/backfill?from={START}&to={START}", 400))["code"] == "empty_range"


async def test_others_have_their_turn_while_the_times_of_a_backfill_are_found(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each takes a while: a thousand at once would hold up all that the server does."""
    [view] = await desk.installation.schedules.all()
    turns, most = [0], [0]

    def times(*_: object) -> Iterator[int]:
        for index in range(1_000):
            turns[0] += 1
            most[0] = max(most[0], turns[0])
            yield START - (index + 1) * HOUR

    async def watch() -> None:
        while True:
            turns[0] = 0
            await asyncio.sleep(0)

    monkeypatch.setattr(Schedule, "times", times)
    watching = asyncio.create_task(watch())
    done = await desk.installation.schedules.backfill(view.schedule.id, START - 1_000 * HOUR, None)
    watching.cancel()
    assert done is not None
    assert len(done.runs) == 1_000
    assert most[0] <= SLICE


async def test_a_backfill_counts_no_time_as_done_whose_schedule_went_meanwhile(
    desk: Desk, client: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, script = await only(client), Partition.script

    async def last(partition: Partition, verb: str, *fixed: Argument, items: Sequence[Sequence[Argument]] = ()) -> Any:
        answer = await script(partition, verb, *fixed, items=items)
        if verb == "start":
            monkeypatch.undo()
            await desk.register(timed("other", cron="@daily"))
        return answer

    monkeypatch.setattr(Partition, "script", last)
    done = await ask(client, "POST", f"{path}/backfill?from={START - 70 * HOUR}&to={START}")
    assert (len(done["runs"]), done["existing"]) == (64, 0)


async def test_what_cannot_be_backfilled_is_said(client: httpx2.AsyncClient) -> None:
    path = await only(client)
    error = await ask(client, "POST", f"{path}/backfill?from={START - 1_001 * HOUR}", 400)
    assert error["code"] == "too_many_times"
    assert "more than 1,000 times" in error["message"]
    assert "from" in (await ask(client, "POST", f"{path}/backfill", 400))["message"]
    assert (await ask(client, "POST", f"{path}/backfill?from=5", 400))["code"] == "invalid_parameter"
    future = await ask(client, "POST", f"{path}/backfill?from={START + HOUR}&to={START + 9 * HOUR}")
    assert future == {"runs": [], "existing": 0}


@pytest.mark.parametrize("verb", ["", "/run", "/skip", "/pause", "/resume", f"/backfill?from={START}"])
async def test_a_schedule_that_is_not_there_is_not_found(client: httpx2.AsyncClient, verb: str) -> None:
    error = await ask(client, "POST" if verb else "GET", f"/shop/tidy/00000000{verb}", 404)
    assert error["message"] == "there is no schedule 'shop/tidy/00000000'"


async def test_the_document_describes_schedules(client: httpx2.AsyncClient) -> None:
    paths = (await client.get("/api/v1/openapi.json")).json()["paths"]
    backfill = paths["/api/v1/schedules/{app}/{function}/{schedule}/backfill"]["post"]
    assert [(one["name"], one["required"]) for one in backfill["parameters"] if one["in"] == "query"] == [
        ("from", True),
        ("to", False),
    ]


async def test_the_command_line_reads_and_steers_schedules(
    desk: Desk, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "UTC")
    async with desk.serving() as server:
        monkeypatch.setenv("STEPWELL_URL", server.url)

        async def run(*words: str, code: int = 0) -> str:
            assert await asyncio.to_thread(main, ["schedules", *words]) == code, capsys.readouterr().err
            printed = capsys.readouterr()
            return printed.out + printed.err

        shown = await run("list")
        assert "@hourly" in shown
        assert "shop/tidy/" in shown
        assert "upcoming" in await run("show", "shop/tidy", "--json")
        assert "catch up  all, within 1d" in await run("show", "shop/tidy")
        assert "is left out; the time after it is" in await run("skip", "shop/tidy")
        assert "is paused since" in await run("pause", "shop/tidy")
        assert "paused" in await run("list")
        assert "goes on; next at" in await run("resume", "shop/tidy")
        assert "started run 01" in await run("run", "shop/tidy")
        day = datetime.fromtimestamp(START / 1000 - 86_400, UTC).isoformat()
        assert "started 24 runs; 0 times had theirs already" in await run(
            "backfill", "shop/tidy", "--from", day, "--to", "2026-01-01T00:00+00:00"
        )
        assert "'soon' is not a time" in await run("backfill", "shop/tidy", "--from", "soon", code=2)
        assert "shop/fulfil has no schedule" in await run("show", "shop/fulfil", code=2)
        assert "no schedules of 'shop/fulfil'" in await run("list", "--function", "shop/fulfil")
