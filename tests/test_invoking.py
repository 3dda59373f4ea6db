"""Functions that are invoked by hand: exactly one run, of this function alone, whatever else would start it."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import httpx2
import orjson
import pytest
from pydantic import BaseModel

from stepwell.client import Client
from stepwell.client.errors import NotFound, Refused
from stepwell.functions import App, Concurrency, Context, Debounce, Idempotency, RateLimit, Singleton, cron
from stepwell.platform.cli import main
from stepwell.platform.engine.partition import Partition
from stepwell.platform.flow.pausing import Mode, Pausing
from stepwell.platform.history import History
from stepwell.platform.reading.filter import RunFilter
from stepwell.platform.records import Status
from stepwell.platform.settings import Settings
from stepwell.platform.steering.refusals import NoSuchFunction, NotNow, Unfit
from stepwell.platform.store.connection import Argument
from stepwell.platform.store.memory import memory_store
from stepwell.platform.store.store import Store
from tests.api_desk import Desk, function
from tests.cli_logs import logs_restored
from tests.platform_harness import Harness, harness
from tests.redis_servers import Server

EVERY = RunFilter()
PATH = "/api/v1/functions/shop/charge/invoke"


@pytest.fixture(params=["memory", "redis"])
async def spread(request: pytest.FixtureRequest) -> AsyncGenerator[Store]:
    """An empty store of four partitions, in turn over fakeredis and Redis."""
    if request.param == "memory":
        async with memory_store(partitions=4) as opened:
            yield opened
    else:
        server: Server = request.getfixturevalue("redis_server")
        async with Store.open(Settings(redis_url=server.url, partitions=4)) as opened:
            yield opened


def echo(**controls: Any) -> App:
    """An app of a function that gives back what it was told, and of one that hears of every event."""
    app = App("shop")

    @app.function(on="order.placed", **controls)
    async def charge(ctx: Context[Any]) -> Any:
        return [ctx.event.name, ctx.data]

    @app.function(on="inngest/function.invoked")
    async def curious(_: Context[Any]) -> None:
        pass

    return app


async def invoke(platform: Harness, data: dict[str, Any] | None = None, request: str | None = None) -> str:
    return await platform.steering.invoke("shop/charge", data or {}, request)


async def count(platform: Harness) -> int:
    """How many runs there are, of all functions."""
    counts = await History(platform.partitions, platform.registry).counts()
    return counts.unfinished + counts.completed + counts.failed + counts.cancelled


async def test_it_starts_one_run_of_this_function_alone(store: Store) -> None:
    async with harness(store, echo()) as platform:
        run = await invoke(platform, {"id": "A"})
        assert await platform.output(run) == ["inngest/function.invoked", {"id": "A"}]
        assert await count(platform) == 1
        assert (await History(platform.partitions, platform.registry).events()).items == ()
        event = await platform.event_of(run)
        assert (event.runs, event.data) == ((run,), {"id": "A"})
        assert await invoke(platform) != run
        await platform.eventually_idle()
        await platform.stop_worker()
        await platform.forget_everything()
        assert await platform.keys_without_owner() == []


async def test_over_several_partitions_it_is_one_run_too(spread: Store) -> None:
    async with harness(spread, echo(concurrency=Concurrency(1, key="event.data.user"))) as platform:
        runs = [await invoke(platform, {"user": number}, f"request {number}") for number in range(8)]
        assert len({*runs}) == 8
        for number, run in enumerate(runs):
            assert await platform.output(run) == ["inngest/function.invoked", {"user": number}]
        assert await count(platform) == 8
        assert [await invoke(platform, {}, f"request {number}") for number in range(8)] == runs


async def test_the_same_request_is_the_same_run_for_a_day(store: Store) -> None:
    async with harness(store, echo(), App("other"), worker=False) as platform:
        runs = {*await asyncio.gather(*[invoke(platform, {"n": number}, "mine") for number in range(4)])}
        [run] = runs
        assert await count(platform) == 1
        assert await invoke(platform, {}, "another") != run
        assert await platform.steering.invoke("shop/curious", {}, "mine") != run
        assert await invoke(platform, {}, "mine") == run


async def test_where_the_function_lives_elsewhere_by_now_the_request_is_still_known(spread: Store) -> None:
    async with harness(spread, echo(), worker=False) as platform:
        before = [await invoke(platform, {}, f"{number}") for number in range(8)]
        await platform.registry.register(echo(concurrency=Concurrency(1)).manifest)
        assert [await invoke(platform, {}, f"{number}") for number in range(8)] == before
        assert await count(platform) == 8


async def test_a_run_whose_reply_is_lost_is_started_once(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    script = Partition.script

    async def twice(partition: Partition, verb: str, *fixed: Argument, items: Any = ()) -> Any:
        if verb == "invoke":
            await script(partition, verb, *fixed, items=items)
        return await script(partition, verb, *fixed, items=items)

    async with harness(store, echo(singleton=Singleton()), worker=False) as platform:
        monkeypatch.setattr(Partition, "script", twice)
        run = await invoke(platform)
        assert (await platform.run(run)).status is Status.QUEUED
        assert await count(platform) == 1


@pytest.mark.parametrize(
    "controls",
    [
        {"idempotency": Idempotency("event.name", period="1h")},
        {"rate_limit": RateLimit(1, "1h")},
        {"debounce": Debounce("1h")},
    ],
    ids=lambda controls: next(iter(controls)),
)
async def test_what_says_which_events_start_a_run_does_not_hold_it_back(store: Store, controls: Any) -> None:
    async with harness(store, echo(**controls)) as platform:
        for run in [await invoke(platform) for _ in range(3)]:
            await platform.output(run)


async def test_it_waits_for_a_slot_as_any_other(store: Store) -> None:
    desk = Desk.over(store)
    await desk.register(function("charge", concurrency=[{"limit": 1}]))
    first = await desk.installation.steering.invoke("shop/charge", {})
    desk.clock.advance(1)
    second = await desk.installation.steering.invoke("shop/charge", {})
    [lease] = await desk.lease("shop/charge")
    assert lease.run == first
    await desk.finish(lease)
    assert [lease.run for lease in await desk.lease("shop/charge")] == [second]


async def test_a_function_that_is_not_there_and_data_that_is_too_large_are_refused(store: Store) -> None:
    async with harness(store, echo(), worker=False, settings=Settings(max_event_bytes=1_024)) as platform:
        with pytest.raises(NoSuchFunction, match="no function 'shop/none' is registered"):
            await platform.steering.invoke("shop/none", {})
        with pytest.raises(Unfit, match="the limit is 1,024"):
            await invoke(platform, {"x": "x" * 1_024})
        deep: dict[str, Any] = {}
        for _ in range(251):
            deep = {"a": deep}
        with pytest.raises(Unfit):
            await invoke(platform, deep)
        for request in ("", "x" * 129):
            with pytest.raises(Unfit, match="a request has 1 to 128 characters"):
                await invoke(platform, {}, request)
        assert await count(platform) == 0


@pytest.mark.parametrize("mode", ["keep", "hold", "drop"])
async def test_of_a_paused_function_the_run_waits_or_is_refused(store: Store, mode: Mode) -> None:
    async with harness(store, echo()) as platform:
        pausing = Pausing(platform.partitions, platform.registry)
        await pausing.pause("shop/charge", mode)
        if mode == "drop":
            with pytest.raises(NotNow, match="paused, and drops what comes meanwhile"):
                await invoke(platform, {}, "mine")
            await pausing.resume("shop/charge")
            await platform.output(await invoke(platform, {}, "mine"))
            return
        run = await invoke(platform)
        await platform.eventually_idle()
        assert (await platform.run(run)).status is Status.QUEUED
        await pausing.resume("shop/charge")
        await platform.output(run)


async def test_of_a_singleton_there_is_one_run_all_the_same(store: Store) -> None:
    async with harness(store, echo(singleton=Singleton()), worker=False) as platform:
        run = await invoke(platform)
        with pytest.raises(NotNow, match=f"had not ended: {run}"):
            await invoke(platform, {}, "mine")
        await platform.cancel(run)
        assert await invoke(platform, {}, "mine") != run


async def test_a_function_that_runs_by_the_clock_can_be_invoked(store: Store) -> None:
    app = App("shop")

    @app.function(on=cron("0 3 * * *"))
    async def charge(ctx: Context[Any]) -> Any:
        return ctx.data

    async with harness(store, app) as platform:
        assert await platform.output(await invoke(platform, {"by": "hand"})) == {"by": "hand"}


@pytest.fixture
async def desk() -> AsyncGenerator[Desk]:
    async with memory_store() as store:
        desk = Desk.over(store, Settings(max_event_bytes=1_024))
        await desk.register(function("charge"))
        yield desk


@pytest.fixture
async def client(desk: Desk) -> AsyncGenerator[httpx2.AsyncClient]:
    async with desk.client() as client:
        yield client


async def test_over_http_it_answers_the_run(desk: Desk, client: httpx2.AsyncClient) -> None:
    asked = {"data": {"id": "A"}, "request": "mine"}
    answers = [await client.post(PATH, json=asked) for _ in range(2)]
    runs = [answer.json()["data"] for answer in answers]
    assert {answer.status_code for answer in answers} == {200}
    assert runs[0]["id"] == runs[1]["id"]
    assert (runs[0]["function"], runs[0]["status"]) == ("shop/charge", "queued")
    event = (await client.get(f"/api/v1/events/{runs[0]['event_id']}")).json()["data"]
    assert (event["name"], event["data"], event["runs"]) == ("inngest/function.invoked", {"id": "A"}, [runs[0]["id"]])
    [lease] = await desk.lease("shop/charge")
    assert lease.run == runs[0]["id"]


@pytest.mark.parametrize(
    ("path", "body", "status", "said"),
    [
        ("/api/v1/functions/shop/none/invoke", {}, 404, "no function 'shop/none' is registered Correct the id"),
        (PATH, {"data": []}, 422, "data: Input should be a valid dictionary The fields of this body: data, request"),
        (PATH, {"date": {}}, 422, "date: Extra inputs are not permitted"),
        (PATH, {"request": ""}, 422, "a request has 1 to 128 characters, not 0"),
        (PATH, {"data": {"x": "x" * 1_100}}, 422, "the limit is 1,024"),
        (PATH, [], 422, "the body is no JSON object"),
    ],
)
async def test_a_refusal_says_why_and_starts_nothing(
    client: httpx2.AsyncClient, path: str, body: Any, status: int, said: str
) -> None:
    answer = await client.post(path, content=orjson.dumps(body))
    assert answer.status_code == status, answer.text
    error = answer.json()["error"]
    assert said in f"{error['message']} {error['hint']}"
    assert (await client.get("/api/v1/runs")).json()["data"] == []


async def test_a_paused_function_that_drops_says_so(client: httpx2.AsyncClient) -> None:
    await client.post("/api/v1/functions/shop/charge/pause?mode=drop")
    answer = await client.post(PATH)
    assert answer.status_code == 409
    assert answer.json()["error"]["hint"] == "Resume the function first"


class Order(BaseModel):
    """Data with a type."""

    id: str


async def test_our_client_invokes(desk: Desk) -> None:
    async with desk.serving() as server, Client(server.url) as client:
        run = await client.runs.invoke("shop/charge", Order(id="A"))
        assert (run.function, run.status) == ("shop/charge", "queued")
        assert run.event_id
        assert (await client.events.get(run.event_id)).data == {"id": "A"}
        assert (await client.runs.invoke("shop/charge")).id != run.id
        with pytest.raises(NotFound):
            await client.runs.invoke("shop/none")
        with pytest.raises(Refused):
            await client.runs.invoke("shop/charge", {"x": "x" * 1_100})
        with pytest.raises(ValueError, match="a function is called"):
            await client.runs.invoke("charge")


async def test_the_command_line_invokes(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    with logs_restored():
        async with desk.serving() as server:

            async def said(*words: str, code: int = 0) -> str:
                assert await asyncio.to_thread(main, ["functions", "invoke", *words, "--url", server.url]) == code
                printed = capsys.readouterr()
                return printed.err if code == 2 else printed.out

            line = await said("shop/charge", "--data", '{"id": "A"}')
            [run] = (await desk.installation.history.runs(EVERY)).items
            assert line == f"started run {run.run.id}; `stepwell runs watch {run.run.id}` follows it\n"
            assert orjson.loads(await said("shop/charge", "--json"))["function"] == "shop/charge"
            assert "--data is not JSON" in await said("shop/charge", "--data", "{", code=2)
            assert "is no id of a function" in await said("charge", code=2)
            assert "no function 'shop/none' is registered" in await said("shop/none", code=2)
            await desk.finish_all("shop/charge")
            following = asyncio.create_task(said("shop/charge", "--wait", code=1))
            while not (leases := await desk.lease("shop/charge")):  # noqa: ASYNC110 - it is to come over HTTP
                await asyncio.sleep(0.01)
            await desk.finish(leases[0], "failed", {"type": "Declined", "message": "no money", "traceback": []})
            assert "Declined: no money" in await following
