"""What a key may do, and what it may see."""

from collections.abc import AsyncGenerator
from typing import Any

import httpx2
import orjson
import pytest
from pydantic import SecretStr
from starlette.requests import Request
from starlette.responses import PlainTextResponse

from stepwell.client import Client
from stepwell.platform.api.api_keys import BadKey, api_keys
from stepwell.platform.api.operations import Operation
from stepwell.platform.api.problems import Problem
from stepwell.platform.api.scopes import Grant, Scope, grant_to
from stepwell.platform.settings import Settings
from stepwell.platform.store.memory import memory_store
from tests.api_desk import Desk, function

SECRET = "card 4111"
TRACEBACK = [{"file": "/app/shop.py", "line": 7, "function": "charge"}]
ERROR = orjson.dumps({"type": "CardDeclined", "message": "no money", "traceback": TRACEBACK})
KEYS = (
    "plain",
    "viewer:read:see",
    "oncall:operate:do:it",
    "owner:read+operate+admin:all",
    "blind:operate+no-payloads:blind",
)


def keys(*given: str) -> tuple[SecretStr, ...]:
    return tuple(map(SecretStr, given))


@pytest.fixture
async def desk() -> AsyncGenerator[Desk]:
    async with memory_store() as store:
        desk = Desk.over(store, Settings(event_keys=keys("e"), api_keys=keys(*KEYS)))
        await desk.register(function("charge"))
        yield desk


@pytest.fixture
async def client(desk: Desk) -> AsyncGenerator[httpx2.AsyncClient]:
    async with desk.client(dev=False) as client:
        yield client


def by(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def test_a_plain_key_may_do_everything_and_others_what_they_say() -> None:
    assert [(key.grant, key.secret) for key in api_keys(keys(*KEYS))] == [
        (Grant("key-1"), b"plain"),
        (Grant("viewer", Scope.READ), b"see"),
        (Grant("oncall", Scope.OPERATE), b"do:it"),
        (Grant("owner", Scope.ADMIN), b"all"),
        (Grant("blind", Scope.OPERATE, payloads=False), b"blind"),
    ]
    assert "plain" not in repr(api_keys(keys("plain")))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("a:b", "key 2 has no secret"),
        ("a:read:", "key 2 has no secret"),
        (":read:s3cret", "key 2 has a colon"),
        ("a b:read:s3cret", "key 2 has a colon"),
        ("a" * 65 + ":read:s3cret", "key 2 has a colon"),
        ("a:write:s3cret", "one of read, operate, admin"),
        ("a:read+write:s3cret", "one of read, operate, admin"),
        ("a::s3cret", "one of read, operate, admin"),
        ("a:READ:s3cret", "one of read, operate, admin"),
        ("a:no-payloads:s3cret", "one of read, operate, admin"),
        ("first:admin:s3cret", "key 2 has the name of another one"),
        ("other:admin:1st", "key 2 has the secret of another one"),
    ],
)
def test_a_key_that_means_nothing_is_refused_and_not_shown(given: str, said: str) -> None:
    with pytest.raises(BadKey) as refused:
        api_keys(keys("first:read:1st", given))
    assert said in str(refused.value)
    assert str(refused.value).startswith("STEPWELL_API_KEYS: ")
    assert "s3cret" not in str(refused.value)


@pytest.mark.parametrize(
    ("key", "reads", "sends", "releases"),
    [("see", 200, 403, 403), ("do:it", 200, 200, 403), ("all", 200, 200, 404), ("plain", 200, 200, 404)],
)
async def test_a_key_may_do_what_its_scope_includes(
    client: httpx2.AsyncClient, key: str, reads: int, sends: int, releases: int
) -> None:
    event = {"name": "order.placed"}
    assert (await client.get("/api/v1/runs", headers=by(key))).status_code == reads
    assert (await client.post("/api/v1/events", json=event, headers=by(key))).status_code == sends
    path = "/api/v1/keys/release?scope=none&run=none"
    assert (await client.post(path, headers=by(key))).status_code == releases


async def test_the_scope_that_is_missing_is_named_and_nothing_is_done(desk: Desk, client: httpx2.AsyncClient) -> None:
    run = await desk.start("order.placed")
    answer = await client.post(f"/api/v1/runs/{run}/cancel", headers=by("see"))
    assert answer.status_code == 403
    assert answer.json()["error"] == {
        "code": "missing_scope",
        "message": "this takes the scope 'operate', and the key 'viewer' has only 'read'",
        "hint": "Use a key with that scope, or ask who runs this server",
    }
    assert (await client.get(f"/api/v1/runs/{run}", headers=by("see"))).json()["data"]["status"] == "queued"


async def test_the_document_says_which_scope_an_operation_takes_and_changes_take_more_than_reading(
    client: httpx2.AsyncClient,
) -> None:
    document = (await client.get("/api/v1/openapi.json", headers=by("see"))).json()
    needs: dict[tuple[str, str], Any] = {
        (method, path): operation.get("x-scope")
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if not path.startswith(("/e/", "/health/"))
    }
    assert len(needs) > 20
    for (method, path), scope in needs.items():
        assert scope == "read" if method == "get" else scope in ("operate", "admin"), path
    assert needs["post", "/api/v1/keys/release"] == "admin"
    assert document["components"]["schemas"]["Event"]["properties"]["data"]["x-payload"] is True


async def done(desk: Desk) -> str:
    """A run with a step that succeeded and one that failed, and an output."""
    run = await desk.start("order.placed", {"card": SECRET})
    [lease] = await desk.lease("shop/charge")
    owner, output = desk.owner(), orjson.dumps({"card": SECRET})
    await owner.checkpoint(run, lease.token, 1, "look-up", "run", ok=True, attempts=1, took=3, payload=output)
    await owner.checkpoint(run, lease.token, 2, "charge", "run", ok=False, attempts=5, took=3, payload=ERROR)
    await owner.finish(run, lease.token, 3, "completed", output)
    return run


@pytest.mark.parametrize("path", ["runs", "events"])
async def test_who_may_not_see_payloads_may_not_guess_at_them_either(client: httpx2.AsyncClient, path: str) -> None:
    query = {"q": "event.data.card == '4111'"}
    assert (await client.get(f"/api/v1/{path}", params=query, headers=by("all"))).status_code == 200
    refused = await client.get(f"/api/v1/{path}", params=query, headers=by("blind"))
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "hidden")
    assert (await client.get(f"/api/v1/{path}", headers=by("blind"))).status_code == 200


async def test_who_may_not_see_payloads_sees_no_log_lines(desk: Desk, client: httpx2.AsyncClient) -> None:
    path = f"/api/v1/runs/{await done(desk)}/logs"
    assert (await client.get(path, headers=by("see"))).status_code == 200
    assert (await client.get(path, headers=by("blind"))).json()["error"]["code"] == "hidden"


async def failed(desk: Desk) -> str:
    run = await desk.start("order.placed", {"card": SECRET})
    [lease] = await desk.lease("shop/charge")
    await desk.owner().finish(run, lease.token, 1, "failed", ERROR)
    return run


async def test_who_may_not_see_payloads_sees_all_but_those(desk: Desk, client: httpx2.AsyncClient) -> None:
    run, wrong = await done(desk), await failed(desk)
    [event] = (await client.get(f"/api/v1/runs/{run}", headers=by("plain"))).json()["data"]["event_ids"]
    runs = "/api/v1/runs"
    paths = [runs, f"{runs}/{run}", f"{runs}/{run}?wait=true", f"{runs}/{run}/steps", f"{runs}/{wrong}"]
    paths += ["/api/v1/events", f"/api/v1/events/{event}", f"/api/v1/events/{event}/runs"]
    paths += [f"/api/v1/events/{event}/runs?wait=true"]
    for path in paths:
        seen, blind = [await client.get(path, headers=by(key)) for key in ("plain", "blind")]
        assert SECRET in seen.text or "shop.py" in seen.text, path
        assert blind.status_code == 200
        assert SECRET not in blind.text, path
        assert "shop.py" not in blind.text, path
        assert '"hidden":true' in blind.text, path
        assert '"hidden":true' not in seen.text, path


async def test_what_is_hidden_is_null_and_says_so(desk: Desk, client: httpx2.AsyncClient) -> None:
    run, wrong = await done(desk), await failed(desk)

    async def read(path: str) -> Any:
        return (await client.get(f"/api/v1/runs/{path}", headers=by("blind"))).json()["data"]

    whole = await read(run)
    assert (whole["output"], whole["hidden"]) == (None, True)
    assert whole["function"] == "shop/charge"
    look_up, charge = await read(f"{run}/steps")
    assert (look_up["id"], look_up["output"], look_up["hidden"]) == ("look-up", None, True)
    shown = {"type": "CardDeclined", "message": "no money", "traceback": None, "hidden": True}
    assert charge["error"] == shown | {"causes": [], "causes_cut": 0}
    assert (await read(wrong))["error"] == charge["error"]


async def test_who_acts_without_seeing_payloads_is_told_the_outcome_without_them(
    desk: Desk, client: httpx2.AsyncClient
) -> None:
    run = await done(desk)
    answer = await client.post(f"/api/v1/runs/{run}/cancel", headers=by("blind"))
    assert answer.status_code == 200
    assert answer.json()["data"]["hidden"] is True
    assert SECRET not in answer.text
    event = {"name": "nobody.listens", "data": {"card": SECRET}}
    answer = await client.post("/api/v1/events?wait=true", json=event, headers=by("blind"))
    assert answer.json()["data"]["runs"] == []


async def test_a_response_that_cannot_hide_payloads_is_not_given_to_who_may_not_see_them() -> None:
    async def endpoint(_: Request) -> PlainTextResponse:
        return PlainTextResponse(SECRET)

    operation = Operation("GET", "/x", "x", "X", endpoint, None)
    scope: dict[str, Any] = {"type": "http", "method": "GET", "path": "/x", "headers": []}
    grant_to(scope, Grant("blind", payloads=False))
    with pytest.raises(Problem, match="may not see payloads"):
        await operation.call(Request(scope))
    grant_to(scope, Grant("viewer", Scope.READ))
    assert isinstance(await operation.call(Request(scope)), PlainTextResponse)


async def test_the_stream_is_for_who_may_not_see_payloads_too(desk: Desk) -> None:
    async with (
        desk.serving(dev=False) as server,
        httpx2.AsyncClient(base_url=server.url, headers=by("blind")) as client,
        client.stream("GET", "/api/v1/stream") as stream,
    ):
        assert stream.status_code == 200
        lines = aiter(stream.aiter_lines())
        while await anext(lines) != "event: refetch":
            pass
        run = await done(desk)
        said = ""
        while run not in said:
            said = await anext(lines)
        assert SECRET not in said


async def test_the_client_tells_what_is_hidden(desk: Desk) -> None:
    run = await done(desk)
    async with desk.serving(dev=False) as server:
        async with Client(server.url, api_key="blind") as client:
            seen = await client.runs.get(run)
            assert (seen.output, seen.hidden) == (None, True)
            assert seen.event_id
            event = await client.events.get(seen.event_id)
            assert (event.data, event.hidden) == (None, True)
        async with Client(server.url, api_key="plain") as client:
            event = await client.events.get(seen.event_id)
            assert (event.data, event.hidden) == ({"card": SECRET}, False)
