"""Flow control over HTTP: pausing, who has slots, why an event has started nothing, and why a run waits."""

from collections.abc import AsyncGenerator
from typing import Any

import httpx2
import pytest

from stepwell.functions import App, Batch, Concurrency, Context, RateLimit, Throttle, event
from stepwell.platform.flow import holding
from stepwell.platform.store.store import Store
from tests.api_desk import Desk

CONTROLS = {
    "limited": {"concurrency": Concurrency(1, key="event.data.customer")},
    "sized": {"concurrency": Concurrency(1, key="event.data.size")},
    "throttled": {"throttle": Throttle(1, "1m")},
    "rated": {"rate_limit": RateLimit(1, "1m")},
    "batched": {"batch": Batch(3, "1m")},
}


def shop(*names: str) -> App:
    app = App("shop")
    for name in names:

        @app.function(on=name, id=name, **CONTROLS.get(name, {}))  # type: ignore[arg-type]
        async def work(ctx: Context[Any]) -> None: ...

    return app


@pytest.fixture
async def desk(store: Store) -> Desk:
    desk = Desk.over(store)
    await desk.installation.registry.register(shop("plain", *CONTROLS).manifest)
    return desk


@pytest.fixture
async def client(desk: Desk) -> AsyncGenerator[httpx2.AsyncClient]:
    async with desk.client() as client:
        yield client


async def data(answer: httpx2.Response) -> Any:
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]


async def waits(client: httpx2.AsyncClient, run: str) -> list[dict[str, Any]]:
    shown = await data(await client.get(f"/api/v1/runs/{run}"))
    return [{name: value for name, value in wait.items() if value not in (None, [])} for wait in shown["waiting_on"]]


async def test_a_function_is_paused_and_resumed(desk: Desk, client: httpx2.AsyncClient) -> None:
    path = "/api/v1/functions/shop/plain"
    paused = await data(await client.post(f"{path}/pause", params={"mode": "hold"}))
    assert paused["paused"] == {"mode": "hold", "since": desk.clock.now()}
    run = await desk.start("plain")
    assert await desk.lease("shop/plain") == []
    assert await waits(client, run) == [{"kind": "paused", "mode": "hold", "ahead": 0}]
    assert (await data(await client.post(f"{path}/resume")))["paused"] is None
    assert [lease.run for lease in await desk.lease("shop/plain")] == [run]
    assert (await client.post("/api/v1/functions/shop/none/pause")).status_code == 404
    assert (await client.post(f"{path}/pause", params={"mode": "loudly"})).status_code == 400


async def test_a_function_that_is_not_registered_any_more_is_resumed(desk: Desk, client: httpx2.AsyncClient) -> None:
    await client.post("/api/v1/functions/shop/plain/pause")
    await desk.installation.registry.register(shop("limited").manifest)
    answer = await client.post("/api/v1/functions/shop/plain/resume")
    assert answer.status_code == 404
    assert answer.json()["error"]["message"] == (
        "function 'shop/plain' is not registered; it was paused, and is not any more"
    )
    await desk.installation.registry.register(shop("plain").manifest)
    assert (await data(await client.get("/api/v1/functions/shop/plain")))["paused"] is None


async def test_who_has_a_slot_and_who_waits_for_it(desk: Desk, client: httpx2.AsyncClient) -> None:
    first, second = [await desk.start("limited", {"customer": "c 1"}) for _ in range(2)]
    [lease] = await desk.lease("shop/limited")
    waiting = second if lease.run == first else first
    [key] = await data(await client.get("/api/v1/keys"))
    [holder] = key.pop("holders")
    assert key == {
        "scope": "shop/limited#0|c%201",
        "constraint": "shop/limited#0",
        "value": "c 1",
        "limit": 1,
        "held": 1,
        "lanes": 1,
        "waiting": 1,
    }
    assert (holder["run"], holder["since"]) == (lease.run, desk.clock.now())
    assert holder["worker"]
    assert await waits(client, waiting) == [
        {"kind": "concurrency", "key": "c 1", "limit": 1, "held": 1, "holders": [lease.run], "position": 0, "ahead": 0}
    ]
    release = {"scope": "shop/limited#0|c%201", "run": lease.run}
    refused = await client.post("/api/v1/keys/release", params=release)
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "slot_in_use")
    gone = await client.post("/api/v1/keys/release", params=release | {"run": waiting})
    assert gone.status_code == 404


async def test_a_slot_that_nobody_uses_is_given_to_who_waits(desk: Desk, client: httpx2.AsyncClient) -> None:
    home = desk.installation.partitions[0]
    await home.read("ZADD", home.keys.name("k_slots", "shop/limited#0|c"), desk.clock.now(), "stale")
    run = await desk.start("limited", {"customer": "c"})
    assert await desk.lease("shop/limited") == []
    await data(await client.post("/api/v1/keys/release", params={"scope": "shop/limited#0|c", "run": "stale"}))
    assert [lease.run for lease in await desk.lease("shop/limited")] == [run]


async def test_what_an_event_has_not_started_and_why(desk: Desk, client: httpx2.AsyncClient) -> None:
    await desk.start("rated")
    shown = await data(await client.get(f"/api/v1/events/{await desk.send('rated')}"))
    assert shown["runs"] == []
    [refusal] = shown["refusals"]
    assert (refusal["function"], refusal["reason"], refusal["run"]) == ("shop/rated", "rate_limited", None)


async def test_a_throttled_run_says_when_its_turn_may_come(desk: Desk, client: httpx2.AsyncClient) -> None:
    first, second = [await desk.start("throttled") for _ in range(2)]
    [lease] = await desk.lease("shop/throttled")
    [wait] = await waits(client, second if lease.run == first else first)
    assert (wait["kind"], wait["until"]) == ("throttle", desk.clock.now() + 60_000)


async def test_the_keys_of_a_constraint_are_found_among_many_others(
    desk: Desk, client: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(holding, "MOST_KEYS", 10)
    monkeypatch.setattr(holding, "PAGE", 5)
    customers = [f"c {number}" for number in range(8)]
    for customer in customers:
        await desk.start("limited", {"customer": customer})
    for number in range(60):
        await desk.start("sized", {"size": number})
    assert len(await desk.lease("shop/limited", "shop/sized")) == 64
    keys = await data(await client.get("/api/v1/keys", params={"constraint": "shop/limited#0"}))
    assert [key["value"] for key in keys] == customers


async def test_a_batch_says_how_many_events_it_has(desk: Desk, client: httpx2.AsyncClient) -> None:
    run = await desk.start("batched")
    began = desk.clock.now()
    second = await desk.send("batched")
    assert await desk.run_of(second) == run
    assert await waits(client, run) == [{"kind": "batch", "until": began + 60_000, "gathered": 2}]


async def test_a_run_names_all_its_events(desk: Desk, client: httpx2.AsyncClient) -> None:
    events = [await desk.send("batched") for _ in range(3)]
    run = await desk.run_of(events[0])
    shown = await data(await client.get(f"/api/v1/runs/{run}"))
    assert (shown["event_id"], shown["event_ids"]) == (events[0], events)
    again = await data(await client.post(f"/api/v1/runs/{run}/rerun"))
    assert again["event_ids"] == events
    other = await data(await client.post(f"/api/v1/runs/{run}/rerun", json={"input": {}}))
    assert other["event_ids"] == [other["event_id"]]
    plain = await data(await client.get(f"/api/v1/runs/{await desk.start('plain')}"))
    assert plain["event_ids"] == [plain["event_id"]]
    of_one = await data(await client.get(f"/api/v1/events/{events[1]}/runs"))
    assert [one["event_ids"] for one in of_one] == [events, events]


async def test_events_of_a_batch_do_not_name_a_run_that_was_refused(desk: Desk, client: httpx2.AsyncClient) -> None:
    events = [await desk.send("batched") for _ in range(3)]
    run = await desk.run_of(events[0])
    await client.post("/api/v1/functions/shop/batched/pause", params={"mode": "drop"})
    refused = await client.post(f"/api/v1/runs/{run}/rerun")
    assert refused.status_code == 409, refused.text
    for id in events:
        assert (await data(await client.get(f"/api/v1/events/{id}")))["runs"] == [run]
    await client.post("/api/v1/functions/shop/batched/resume")
    again = await data(await client.post(f"/api/v1/runs/{run}/rerun"))
    assert (await data(await client.get(f"/api/v1/events/{events[2]}")))["runs"] == [run, again["id"]]


async def test_what_is_not_true_for_an_event_and_what_cannot_be_evaluated_is_said(
    desk: Desk, client: httpx2.AsyncClient
) -> None:
    app = App("mail")

    @app.function(on=event("order.placed", if_="event.data.total > 100"))
    async def large(ctx: Context[Any]) -> None: ...

    @app.function(on="order.placed", concurrency=Concurrency(1, key="size(event.data.total)"))
    async def sized(ctx: Context[Any]) -> None: ...

    await desk.installation.registry.register(app.manifest)
    shown = await data(await client.get(f"/api/v1/events/{await desk.send('order.placed', {'total': 5})}"))
    [run] = shown["runs"]
    assert [(one["function"], one["reason"]) for one in shown["refusals"]] == [("mail/large", "condition")]
    [unkeyed] = shown["unkeyed"]
    assert (unkeyed["function"], unkeyed["control"]) == ("mail/sized", "the key of concurrency")
    assert [lease.run for lease in await desk.lease("mail/sized")] == [run]
