"""What SDKs ask of the server: registering, reading what is too large for a call, and the API of old."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import orjson
import pytest

from stepwell.functions.signing import hashed
from stepwell.platform.bulk.order import BulkOrder
from stepwell.platform.bulk.wanted import Wanted
from stepwell.platform.executor.journal import RunJournal
from stepwell.platform.settings import Settings
from stepwell.platform.store.memory import memory_store
from tests.api_desk import Desk, function
from tests.test_wire_registration import body, configured

KEY, OTHER = "signkey-prod-" + "ab" * 32, "signkey-prod-" + "cd" * 32
NOBODY = "01KDVDNA0000SS5Q8MFXV5EQ69"


@pytest.fixture
async def desk() -> AsyncGenerator[Desk]:
    async with memory_store() as store:
        yield Desk.over(store)


@pytest.fixture
async def client(desk: Desk) -> AsyncGenerator[httpx2.AsyncClient]:
    async with desk.client() as client:
        yield client


@asynccontextmanager
async def closed(**settings: Any) -> AsyncGenerator[tuple[Desk, httpx2.AsyncClient]]:
    """A server that others can reach."""
    keys = {"event_keys": "e", "api_keys": "wall:read:see,blind:read+no-payloads:shy,ann:admin:all", **settings}
    async with memory_store() as store:
        desk = Desk.over(store, Settings.model_validate(keys))
        async with desk.client(dev=False, host="0.0.0.0", url="http://shop.example") as client:
            yield desk, client


def public() -> Any:
    """A registration of an app that everybody can reach."""
    text = orjson.dumps(body(configured()))
    return orjson.loads(text.replace(b"127.0.0.1", b"93.184.216.34"))


def bearer(token: str, **more: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}", **more}


def refusal(answer: httpx2.Response, status: int) -> str:
    assert answer.status_code == status, answer.text
    assert isinstance(answer.json()["error"], str)
    return str(answer.json()["error"])


async def test_an_app_registers_itself_and_is_replaced(desk: Desk, client: httpx2.AsyncClient) -> None:
    first = await client.post("/fn/register", json=body(configured(), configured("shop-b")))
    assert first.json() == {"ok": True, "modified": True}
    assert first.headers["x-inngest-server-kind"] == "dev"
    again = await client.post("/fn/register?deployId=x", json=body(configured(), configured("shop-b")))
    assert again.json() == {"ok": True, "modified": False}
    assert (await client.post("/fn/register", json=body(configured()))).json()["modified"]
    assert set(desk.installation.registry.snapshot.functions) == {"shop/fulfil"}
    await desk.start("order.placed")


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (body(configured(idempotency="event.data.")), "function shop/fulfil: the key of idempotency: "),
        (body(configured(triggers=[{"cron": "0 0 31 2 *"}])), "function shop/fulfil: cron '0 0 31 2 *': "),
        (body(configured(rateLimit={"limit": 1, "period": "x"})), "function 'shop-fulfil': rateLimit.period: "),
        (body(configured(), url="http://169.254.169.254/"), "169.254.169.254 is no address that apps may be served at"),
        ([], "the body is no JSON object"),
    ],
)
async def test_what_cannot_be_registered_is_said(client: httpx2.AsyncClient, given: Any, says: str) -> None:
    assert refusal(await client.post("/fn/register", json=given), 400).startswith(says)


async def test_what_is_no_json_is_no_registration(client: httpx2.AsyncClient) -> None:
    assert "not JSON" in refusal(await client.post("/fn/register", content=b"{"), 400)


async def test_an_app_of_the_other_kind_is_refused(client: httpx2.AsyncClient) -> None:
    headers = {"X-Inngest-Expected-Server-Kind": "cloud"}
    answer = await client.post("/fn/register", json=body(configured()), headers=headers)
    assert "expects a server of kind 'cloud', and this one is 'dev'" in refusal(answer, 400)
    headers = {"X-Inngest-Expected-Server-Kind": "dev"}
    assert (await client.post("/fn/register", json=body(configured()), headers=headers)).status_code == 200


async def test_apps_register_by_signing_keys_where_others_can() -> None:
    app = public()
    async with closed(signing_key=KEY, signing_key_fallback=OTHER) as (_, client):
        for key in (KEY, OTHER):
            for token in (hashed(key), f"signkey-prod-{hashed(key)}"):
                answer = await client.post("/fn/register", json=app, headers=bearer(token))
                assert answer.status_code == 200, answer.text
                assert answer.headers["x-inngest-server-kind"] == "cloud"
        for headers in ({}, bearer("all"), bearer(hashed("ef" * 32)), bearer("")):
            answer = await client.post("/fn/register", json=app, headers=headers)
            assert "the signing key is not that of this server" in refusal(answer, 401)
    async with closed() as (_, client):
        answer = await client.post("/fn/register", json=app, headers=bearer("all"))
        assert "this server has no signing key" in refusal(answer, 401)


async def test_a_server_for_development_that_others_can_reach_lets_only_its_own_register() -> None:
    async with memory_store() as store:
        desk = Desk.over(store, Settings.model_validate({"event_keys": "e", "api_keys": "all"}))
        async with desk.client(dev=True, host="0.0.0.0", url="http://shop.example") as client:
            app = public()
            assert (await client.post("/fn/register", json=app)).status_code == 401
            assert (await client.post("/fn/register", json=app, headers=bearer("all"))).status_code == 200


async def test_private_addresses_are_for_servers_that_only_this_machine_can_reach() -> None:
    async with closed(signing_key=KEY) as (_, client):
        answer = await client.post("/fn/register", json=body(configured()), headers=bearer(hashed(KEY)))
        assert "STEPWELL_ALLOW_PRIVATE_URLS" in refusal(answer, 400)
    async with closed(signing_key=KEY, allow_private_urls=True) as (_, client):
        answer = await client.post("/fn/register", json=body(configured()), headers=bearer(hashed(KEY)))
        assert answer.status_code == 200


async def test_older_sdks_see_a_server_for_development(client: httpx2.AsyncClient) -> None:
    await client.post("/fn/register", json=body(configured()))
    told = (await client.get("/dev")).json()
    assert (told["authed"], told["functions"]) == (False, []), "anybody may ask"
    async with closed() as (_, other):
        assert refusal(await other.get("/dev"), 404)


async def test_a_failed_function_is_told_by_its_slug_to_its_handler(desk: Desk, client: httpx2.AsyncClient) -> None:
    failed = "inngest/function.failed"
    on = {"event": failed, "expression": "event.data.function_id == 'shop-fulfil'"}
    handler = configured("shop-fulfil-failure", attempts=0, triggers=[on])
    answer = await client.post("/fn/register", json=body(configured(), configured("shop-b"), handler))
    assert answer.status_code == 200, answer.text
    await desk.send("order.placed")
    await desk.finish_all("shop/fulfil", "shop/b", status="failed", body={"type": "E", "message": "m", "traceback": []})
    await desk.installation.waits.errands.empty()
    [lease] = await desk.lease("shop/fulfil-failure")
    assert lease.event.data["function_id"] == "shop-fulfil"
    assert lease.event.data["error"] == {
        "error": "E",
        "name": "E",
        "stack": "",
        "type": "E",
        "message": "m",
        "traceback": [],
    }


async def recorded(desk: Desk) -> str:
    """A run with two steps that has completed."""
    run = await desk.start("order.placed", {"n": 1})
    [lease] = await desk.lease("shop/fulfil")
    owner = desk.owner()
    await owner.checkpoint(run, lease.token, 1, "a", "run", ok=True, attempts=1, took=1, payload=b'{"b":2}')
    error = orjson.dumps({"type": "E", "message": "no", "traceback": []})
    await owner.checkpoint(run, lease.token, 2, "c", "run", ok=False, attempts=1, took=1, payload=error)
    await owner.finish(run, lease.token, 3, "completed", b'"done"')
    return run


async def test_a_function_reads_what_is_too_large_for_a_call(desk: Desk, client: httpx2.AsyncClient) -> None:
    await desk.register(function("fulfil"))
    run = await recorded(desk)
    assert (await client.get(f"/v0/runs/{run}/actions")).json() == {
        "86f7e437faa5a7fce15d1ddcb9eaeaea377667b8": {"data": {"b": 2}},
        "84a516841ba77a5b4648de2cd0dfcb30ea46dbb4": {"error": {"name": "E", "message": "no"}},
    }
    [event] = (await client.get(f"/v0/runs/{run}/batch")).json()
    assert event == {"id": event["id"], "name": "order.placed", "data": {"n": 1}, "ts": desk.clock.now(), "user": {}}
    for path in (f"/v0/runs/{NOBODY}/actions", f"/v0/runs/{NOBODY}/batch", "/v0/runs/x/batch"):
        assert refusal(await client.get(path), 410)


async def test_events_and_runs_are_read(desk: Desk, client: httpx2.AsyncClient) -> None:
    await desk.register(function("fulfil"))
    run = await recorded(desk)
    [event] = (await client.get("/v1/events?name=order.placed")).json()["data"]
    assert (event["id"], event["name"], event["data"]) == (event["internal_id"], "order.placed", {"n": 1})
    got = (await client.get(f"/v1/events/{event['internal_id']}")).json()
    assert got["data"] == event
    assert got["metadata"].keys() == {"fetched_at", "cached_until"}
    [told] = (await client.get(f"/v1/events/{event['id']}/runs")).json()["data"]
    assert told == (await client.get(f"/v1/runs/{run}")).json()["data"]
    assert (told["run_id"], told["status"], told["output"], told["function_id"]) == (
        run, "Completed", "done", "shop-fulfil",
    )  # fmt: skip
    assert (await client.get("/v1/events?name=other")).json()["data"] == []
    assert (await client.get(f"/v1/events?received_after={event['received_at']}")).json()["data"] == []
    assert len((await client.get("/v1/events?received_after=2001-01-01")).json()["data"]) == 1
    for path in (f"/v1/runs/{NOBODY}", f"/v1/events/{NOBODY}", f"/v1/events/{NOBODY}/runs"):
        assert refusal(await client.get(path), 404)
    for path in ("/v1/events?received_after=soon", "/v1/events?limit=0", "/v1/events?limit=x", "/v1/events?cursor=x"):
        assert refusal(await client.get(path), 400)


async def test_runs_are_cancelled(desk: Desk, client: httpx2.AsyncClient) -> None:
    await desk.register(function("fulfil"))
    run = await desk.start("order.placed")
    assert (await client.get(f"/v1/runs/{run}")).json()["data"]["status"] == "Running"
    assert (await client.delete(f"/v1/runs/{run}")).json()["data"]["status"] == "Cancelled"
    assert refusal(await client.delete(f"/v1/runs/{NOBODY}"), 404)


async def test_many_runs_are_cancelled_by_a_job(desk: Desk, client: httpx2.AsyncClient) -> None:
    given = {"app_id": "shop", "function_id": "shop-fulfil", "started_after": "2025-01-01T00:00:00Z", "if": "true"}
    answer = (await client.post("/v1/cancellations", json=given)).json()["data"]
    job = await desk.installation.bulk.get(answer["id"])
    assert job
    assert (job.order.action, job.order.wanted.function, job.order.wanted.after) == (
        "cancel", "shop/fulfil", 1_735_689_600_000,
    )  # fmt: skip
    other = await desk.installation.bulk.begin(BulkOrder("rerun", Wanted(app="shop")), "")
    [listed] = (await client.get("/v1/cancellations")).json()["data"]
    assert (listed["id"], listed["app_id"], listed["function_id"], listed["started_after"], listed["if"]) == (
        job.id, "shop", "shop-fulfil", "2025-01-01T00:00:00.000Z", "true",
    )  # fmt: skip
    assert (await client.delete(f"/v1/cancellations/{job.id}")).json()["data"]["id"] == job.id
    stopped = await desk.installation.bulk.get(job.id)
    assert (await client.get("/v1/cancellations")).json() == {"data": []}
    assert stopped
    assert stopped.state == "stopping", "within a second, by who carries it on"
    for none in (other, NOBODY, "no id"):
        assert refusal(await client.delete(f"/v1/cancellations/{none}"), 404)
    wrong: list[Any] = [[], {}, {"app_id": ""}, {**given, "started_after": "soon"}, {**given, "if": "event."}]
    for bad in wrong:
        assert refusal(await client.post("/v1/cancellations", json=bad), 400)


async def test_a_signal_is_given_to_who_waits_for_it(desk: Desk, client: httpx2.AsyncClient) -> None:
    await desk.register(function("fulfil"))
    await desk.start("order.placed")
    [lease] = await desk.lease("shop/fulfil")
    waits, owner, until = desk.installation.waits, desk.owner(), desk.clock.now() + 60_000
    journal = RunJournal(lease, owner, desk.installation.ingest, waits, 1 << 16)
    await journal.wait_for_signal("s", "go", until, replace=False)
    told = await client.post("/v1/signals", json={"signal": "go", "data": {"by": "ann"}})
    assert told.json() == {"data": {"run_id": lease.run}}
    [step] = await desk.installation.history.steps(lease.run) or []
    assert (step.kind, step.state, step.payload) == (
        "wait_for_signal", "done", b'{"signal":"go","data":{"by":"ann"}}',
    )  # fmt: skip
    assert "no run waits for the signal 'go'" in refusal(await client.post("/v1/signals", json={"signal": "go"}), 404)
    wrong: list[Any] = [[], {}, {"signal": ""}, {"signal": 7}]
    for bad in wrong:
        assert refusal(await client.post("/v1/signals", json=bad), 400)
    large = {"signal": "go", "data": "x" * (1 << 20)}
    assert "may have 524,288" in refusal(await client.post("/v1/signals", json=large), 413)


async def ask(client: httpx2.AsyncClient, query: str, **variables: str) -> Any:
    answer = await client.post("/v0/gql", json={"query": query, "variables": variables})
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]


async def test_the_questions_of_sdks_own_tests(desk: Desk, client: httpx2.AsyncClient) -> None:
    await desk.register(function("fulfil"))
    run = await recorded(desk)
    event = (await client.get("/v1/events")).json()["data"][0]["internal_id"]
    asked = "query($e: ID!) { event(query: {eventId: $e}) { functionRuns { id } } }"
    assert await ask(client, asked, e=event) == {"event": {"functionRuns": [{"id": run}]}}
    asked = "query($r: String!) { run(runID: $r) { output status } runTrigger(runID: $r) { payloads } }"
    told = await ask(client, asked, r=run)
    assert (told["run"]["status"], told["run"]["output"]) == ("COMPLETED", '"done"')
    assert orjson.loads(told["runTrigger"]["payloads"][0])["data"] == {"n": 1}
    asked = f'query {{ run(runID: "{run}") {{ trace {{ childrenSpans {{ name outputID }} }} }} }}'
    spans = {span["name"]: span["outputID"] for span in (await ask(client, asked))["run"]["trace"]["childrenSpans"]}
    asked = "query($o: String!) { runTraceSpanOutputByID(outputID: $o) { data error { message name stack } } }"
    good = await ask(client, asked, o=spans["a"])
    assert good == {"runTraceSpanOutputByID": {"data": '{"b":2}', "error": None}}
    bad = await ask(client, asked, o=spans["c"])
    error = {"name": "E", "message": "no", "stack": None}
    assert bad == {"runTraceSpanOutputByID": {"data": None, "error": error}}
    assert (await ask(client, "{ run(runID: $r) { output status } }", r=NOBODY))["run"] is None
    for query in ("", "{ functions { id } }", "{ run(runID: 7) { status } }"):
        assert refusal(await client.post("/v0/gql", json={"query": query}), 400)
    assert refusal(await client.post("/v0/gql", json=[]), 400)


PATHS = [
    ("GET", f"/v0/runs/{NOBODY}/actions"), ("GET", f"/v0/runs/{NOBODY}/batch"), ("GET", "/v1/events"),
    ("GET", f"/v1/runs/{NOBODY}"), ("DELETE", f"/v1/runs/{NOBODY}"), ("POST", "/v1/cancellations"),
    ("GET", "/v1/cancellations"), ("DELETE", f"/v1/cancellations/{NOBODY}"),
    ("POST", "/v0/gql"), ("POST", "/v1/signals"),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path"), PATHS)
async def test_reading_takes_a_key(method: str, path: str) -> None:
    async with closed(signing_key=KEY) as (_, client):
        for headers in ({}, bearer("wrong")):
            assert refusal(await client.request(method, path, headers=headers), 401)
        assert refusal(await client.request(method, path, headers=bearer("shy")), 403)
        for token in (hashed(KEY), KEY, "all"):
            assert (await client.request(method, path, headers=bearer(token))).status_code in (200, 400, 404, 410)
        steers = method == "DELETE" or (method, path) in (("POST", "/v1/cancellations"), ("POST", "/v1/signals"))
        assert ((await client.request(method, path, headers=bearer("see"))).status_code == 403) is steers
