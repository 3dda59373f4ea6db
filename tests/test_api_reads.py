"""Reading over HTTP: what is answered, and how what cannot be answered is said."""

import re
from collections.abc import AsyncGenerator
from typing import Any

import httpx2
import pytest

from stepwell.client import Client
from stepwell.client.errors import NotFound
from stepwell.platform.errors import StoreFull, StoreUnavailable
from stepwell.platform.history import History
from stepwell.platform.store.memory import memory_store
from stepwell.platform.store.store import Store
from tests.api_desk import Desk, function, raw

ERROR = {
    "type": "CardDeclined",
    "message": "no money",
    "traceback": [{"file": "/app/shop.py", "line": 7, "function": "charge"}],
}
NOBODY = "01KDVDNA0000SS5Q8MFXV5EQ69"


@pytest.fixture
async def desk() -> AsyncGenerator[Desk]:
    async with memory_store() as store:
        desk = Desk.over(store)
        await desk.register(function("fulfil", concurrency=[{"limit": 5, "key": "event.data.customer"}]))
        yield desk


@pytest.fixture
async def client(desk: Desk) -> AsyncGenerator[httpx2.AsyncClient]:
    async with desk.client() as client:
        yield client


async def get(client: httpx2.AsyncClient, path: str) -> Any:
    answer = await client.get(path)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/json"
    return answer.json()["data"]


def assert_problem(answer: httpx2.Response, status: int, code: str) -> str:
    assert answer.status_code == status, answer.text
    error = answer.json()["error"]
    assert error.keys() == {"code", "message", "hint"}
    assert error["code"] == code
    assert "Traceback" not in answer.text
    return f"{error['message']} {error['hint']}"


async def test_our_client_understands_all_of_it(store: Store) -> None:
    desk = Desk.over(store)
    await desk.register(function("fulfil"))
    async with desk.serving() as server, Client(server.url) as client:
        event = await desk.send("order.placed", {"id": "A"})
        [lease] = await desk.lease("shop/fulfil")
        owner = desk.owner()
        await owner.checkpoint(
            lease.run, lease.token, 1, "charge", "run", ok=True, attempts=1, took=2, payload=b'{"paid":true}'
        )
        await desk.finish(lease, "failed", ERROR)
        stored = await client.events.get(event)
        assert (stored.name, stored.data, stored.runs) == ("order.placed", {"id": "A"}, (lease.run,))
        [run] = await client.events.runs(event)
        assert run == await client.runs.get(lease.run)
        assert run.error
        assert run.error.traceback == 'Traceback (most recent call last):\n  File "/app/shop.py", line 7, in charge'
        [step] = await client.runs.steps(lease.run)
        assert (step.id, step.status, step.output) == ("charge", "completed", {"paid": True})
        page = await client.runs.list(status="failed", app="shop", event="order.placed", limit=1)
        assert [item.id for item in page] == [lease.run]
        assert page.next is None
        assert (await client.runs.cancel(lease.run)).status == "failed"
        with pytest.raises(NotFound):
            await client.runs.get(NOBODY)


async def test_a_run_says_when_it_was_what_and_why_it_waits(client: httpx2.AsyncClient, desk: Desk) -> None:
    run = await desk.start("order.placed", {"customer": "c"})
    created = desk.clock.now()
    desk.clock.advance(10)
    [lease] = await desk.lease("shop/fulfil")
    owner = desk.owner()
    await owner.arm(run, lease.token, 1, "nap", "sleep", delay=60_000, until=None, payload=b"")
    await owner.suspend(run, lease.token, 2, 0)
    shown = await get(client, f"/api/v1/runs/{run}")
    assert shown["status"] == "waiting"
    assert (shown["created_at"], shown["started_at"], shown["ended_at"]) == (created, created + 10, None)
    assert (shown["app"], shown["function"], shown["version"]) == ("shop", "shop/fulfil", "1")
    assert (shown["event_name"], shown["cancel_requested"]) == ("order.placed", False)
    [wait] = shown["waiting_on"]
    assert (wait["kind"], wait["step"], wait["until"]) == ("sleep", "nap", created + 60_010)
    [step] = await get(client, f"/api/v1/runs/{run}/steps")
    assert (step["status"], step["wakes_at"], step["ended_at"]) == ("waiting", created + 60_010, None)
    desk.clock.advance(60_000)
    await desk.tick()
    [step] = await get(client, f"/api/v1/runs/{run}/steps")
    assert (step["status"], step["wakes_at"], step["output"]) == ("completed", None, None)


async def test_numbers_come_back_as_they_were_recorded(client: httpx2.AsyncClient, desk: Desk) -> None:
    run = await desk.start("order.placed")
    [lease] = await desk.lease("shop/fulfil")
    payload = b'{"big":123456789012345678901234567890,"half":0.5,"one":1.0,"empty":[],"none":null}'
    await desk.owner().finish(run, lease.token, 1, "completed", payload)
    answer = await client.get(f"/api/v1/runs/{run}")
    assert payload in answer.content


async def test_a_cancel_that_was_asked_for_shows(client: httpx2.AsyncClient, desk: Desk) -> None:
    run = await desk.start("order.placed")
    await desk.lease("shop/fulfil")
    answer = await client.post(f"/api/v1/runs/{run}/cancel")
    assert (answer.json()["data"]["status"], answer.json()["data"]["cancel_requested"]) == ("running", True)
    again = await client.post(f"/api/v1/runs/{run}/cancel")
    assert again.json() == answer.json()


async def test_lists_go_on_at_their_cursor(client: httpx2.AsyncClient, desk: Desk) -> None:
    runs = [await desk.start("order.placed") for _ in range(5)]
    for path, ids in {"/api/v1/runs": runs[::-1], "/api/v1/events": []}.items():
        found: list[str] = []
        cursor: dict[str, str] = {}
        while True:
            page = (await client.get(path, params={"limit": "2", **cursor})).json()
            found += [item["id"] for item in page["data"]]
            if page["next"] is None:
                break
            cursor = {"cursor": page["next"]}
        assert len(found) == 5
        assert found == (ids or found)


async def test_functions_and_apps_as_registered(client: httpx2.AsyncClient, desk: Desk) -> None:
    await desk.register(function("count", "user.*"), app="stats", version="2024-1")
    await desk.start("order.placed")
    functions = {shown["id"]: shown for shown in await get(client, "/api/v1/functions")}
    flow = ("batch", "debounce", "fairness", "idempotency", "paused", "priority", "rate_limit", "singleton", "throttle")
    assert functions["shop/fulfil"] == dict.fromkeys(flow) | {
        "id": "shop/fulfil",
        "app": "shop",
        "version": "1",
        "triggers": [{"event": "order.placed", "if": ""}],
        "retries": {"times": 4},
        "concurrency": [{"limit": 5, "key": "event.data.customer", "scope": "function", "name": None}],
        "runs": 1,
        "workers": 0,
    }
    assert await get(client, "/api/v1/functions/stats/count") == functions["stats/count"]
    apps = await get(client, "/api/v1/apps")
    assert [app["id"] for app in apps] == ["shop", "stats"]
    assert apps[1] == {"id": "stats", "version": "2024-1", "functions": ["stats/count"], "served": None}


async def test_the_server_tells_about_itself(client: httpx2.AsyncClient, desk: Desk) -> None:
    await desk.start("order.placed")
    await desk.lease("shop/fulfil")
    info = await get(client, "/api/v1/info")
    assert (info["mode"], info["redis"], info["partitions"], info["runs"]["running"]) == ("dev", "memory", 1, 1)
    [worker] = await get(client, "/api/v1/workers")
    unsaid = ("host", "pid", "apps", "functions", "slots", "started_at", "stepwell", "served", "away")
    silent = dict.fromkeys(unsaid)
    assert worker == silent | {
        "id": "w1",
        "running": 1,
        "expires_at": desk.clock.now() + 15_000,
        "suspects": False,
        "draining": False,
    }
    assert (await client.get("/health/live")).json() == {"status": "ok"}
    assert (await client.get("/health/ready")).json() == {"status": "ok"}


@pytest.mark.parametrize("id", [NOBODY, "x", "%00", "..%2f..%2fetc%2fpasswd", "a" * 5_000, "%F0%9F%98%80", "%ff", "*"])
async def test_what_is_not_there_is_said_to_be_not_there(client: httpx2.AsyncClient, id: str) -> None:
    for path in (f"runs/{id}", f"runs/{id}/steps", f"events/{id}", f"events/{id}/runs", f"functions/shop/{id}"):
        text = assert_problem(await client.get(f"/api/v1/{path}"), 404, "not_found")
        assert len(text) < 300
    assert_problem(await client.post(f"/api/v1/runs/{id}/cancel"), 404, "not_found")


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("status=done", "status"),
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("limit=ten", "limit"),
        ("after=-1", "after"),
        ("after=281474976710656", "after"),
        ("before=yesterday", "before"),
        ("stauts=failed", "stauts"),
        ("limit=1&limit=2", "limit"),
        ("cursor=x", "cursor"),
        ("cursor=", "cursor"),
        ("cursor=%0d%0aSet-Cookie:%20a=b", "cursor"),
        ("function=" + "x" * 200, "function"),
    ],
)
async def test_a_parameter_that_is_wrong_is_named(client: httpx2.AsyncClient, query: str, names: str) -> None:
    answer = await client.get(f"/api/v1/runs?{query}")
    code = "bad_cursor" if query.startswith("cursor") else "invalid_parameter"
    assert names in assert_problem(answer, 400, code)
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("path", ["info", "functions", "apps", "workers", f"runs/{NOBODY}", f"events/{NOBODY}"])
async def test_parameters_that_mean_nothing_are_refused(client: httpx2.AsyncClient, path: str) -> None:
    assert "x" in assert_problem(await client.get(f"/api/v1/{path}?x=1"), 400, "invalid_parameter")


@pytest.mark.parametrize("path", ["/", "/nope", "/api", "/api/v1/", "/api/v1/runs/", "/api/v2/runs", "//evil.example"])
async def test_paths_that_lead_nowhere(client: httpx2.AsyncClient, path: str) -> None:
    assert_problem(await client.get(path), 404, "not_found")


@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/api/v1/runs"), ("DELETE", f"/api/v1/runs/{NOBODY}"), ("PUT", "/health/live")]
)
async def test_methods_that_a_path_does_not_take(client: httpx2.AsyncClient, method: str, path: str) -> None:
    answer = await client.request(method, path)
    assert "GET" in assert_problem(answer, 405, "method_not_allowed")
    assert "GET" in answer.headers["allow"]


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (StoreUnavailable("redis://secret", "gone"), 503, "store_unavailable"),
        (StoreFull("redis://secret"), 503, "store_full"),
        (RuntimeError("secret"), 500, "internal_error"),
    ],
)
async def test_what_goes_wrong_inside_is_said_without_showing_the_inside(
    client: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch, error: Exception, status: int, code: str
) -> None:
    async def run(*_: Any) -> None:
        raise error

    monkeypatch.setattr(History, "run", run)
    for query in ("", "?wait=true"):
        answer = await client.get(f"/api/v1/runs/{NOBODY}{query}")
        assert "secret" not in assert_problem(answer, status, code)
        assert (answer.headers.get("retry-after") is not None) == (status == 503)


async def test_not_ready_without_redis(client: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    async def call(*_: Any, **__: Any) -> None:
        raise StoreUnavailable("redis", "gone")

    monkeypatch.setattr(Store, "call", call)
    assert_problem(await client.get("/health/ready"), 503, "store_unavailable")
    assert (await client.get("/health/live")).status_code == 200


async def test_every_response_has_the_headers_that_protect(client: httpx2.AsyncClient) -> None:
    for path in ("/api/v1/runs", "/nope", "/api/v1/openapi.json"):
        headers = (await client.get(path)).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert headers["cache-control"] == "no-store"
        assert not [name for name in headers if name.startswith("access-control")]


async def test_the_document_describes_every_path_and_nothing_else(client: httpx2.AsyncClient) -> None:
    answer = await client.get("/api/v1/openapi.json")
    document, text = answer.json(), answer.text
    assert document["openapi"] == "3.1.0"
    names = [operation["operationId"] for path in document["paths"].values() for operation in path.values()]
    assert len(names) == len(set(names))
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            wanted = {part[1:-1] for part in path.split("/") if part.startswith("{")}
            assert {given["name"] for given in operation["parameters"] if given["in"] == "path"} == wanted
            if path != "/api/v1/stream":
                answer = await client.request(method, path.replace("{", "").replace("}", ""))
                assert str(answer.status_code) in operation["responses"], (method, path)
    references = set(re.findall(r'"\$ref":"([^"]+)"', text))
    assert references
    assert [reference for reference in references if not resolves(document, reference)] == []
    runs = document["paths"]["/api/v1/runs"]["get"]
    assert {given["name"] for given in runs["parameters"]} >= {"status", "cursor", "limit"}


def resolves(document: Any, reference: str) -> bool:
    for name in reference.removeprefix("#/").split("/"):
        document = document.get(name, {})
    return bool(document)


async def test_bytes_that_are_no_http_are_refused(desk: Desk) -> None:
    async with desk.serving() as server:
        for junk in (
            b"\x16\x03\x01\x02\x00\r\n\r\n",
            b"GET / HTTP/9.9\r\n\r\n",
            b"GET /\x00 HTTP/1.1\r\nHost: x\r\n\r\n",
        ):
            answer = await raw(server, junk, close=True)
            assert answer.startswith(b"HTTP/1.1 4")
        answer = await raw(server, b"GET /api/v1/../../etc/passwd HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 404")
        answer = await raw(
            server, b"GET /health/live HTTP/1.1\r\nHost: localhost\r\nX: " + b"y" * 100_000 + b"\r\n\r\n"
        )
        assert b"traceback" not in answer.lower()
