"""Who may do what: names, origins, keys, and where a server without keys may listen."""

from base64 import b64encode
from collections.abc import AsyncGenerator

import pytest
from pydantic import SecretStr
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from stepwell.platform.api.auth import Access, UnsafeAddress
from stepwell.platform.api.scopes import OPEN
from stepwell.platform.settings import Settings
from stepwell.platform.store.memory import memory_store
from tests.api_desk import Desk

KEYS = Settings(event_keys=(SecretStr("event-key"),), api_keys=(SecretStr("api-key"), SecretStr("second")))
NONE = Settings()


@pytest.fixture
async def desk() -> AsyncGenerator[Desk]:
    async with memory_store() as store:
        yield Desk.over(store)


@pytest.fixture
async def locked(desk: Desk) -> Desk:
    return Desk.over(desk.installation.store, KEYS)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "[::1]", "127.8.9.1", "/run/stepwell.sock"])
@pytest.mark.parametrize("dev", [True, False])
def test_no_keys_are_needed_where_only_this_machine_can_reach(host: str, dev: bool) -> None:
    access = Access(NONE, dev=dev, host=host)
    assert access.identify({}, 0) == OPEN
    assert access.allows_events("anything")


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.7", "example.com", "localhost.example.com", ""])
@pytest.mark.parametrize("dev", [True, False])
def test_elsewhere_a_server_refuses_to_listen_without_them(host: str, dev: bool) -> None:
    with pytest.raises(UnsafeAddress, match="STEPWELL_EVENT_KEYS and STEPWELL_API_KEYS"):
        Access(NONE, dev=dev, host=host)
    half = Settings(event_keys=(SecretStr("k"),))
    with pytest.raises(UnsafeAddress, match=r"so STEPWELL_API_KEYS must"):
        Access(half, dev=dev, host=host)
    assert not Access(KEYS, dev=dev, host=host).allows_events("anything")


def test_in_dev_on_loopback_any_event_key_will_do_even_if_there_are_some() -> None:
    access = Access(KEYS, dev=True, host="127.0.0.1")
    assert access.allows_events("anything")
    assert access.identify({}, 0) == OPEN


def test_keys_come_from_the_environment_and_are_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STEPWELL_EVENT_KEYS", "one, two,")
    monkeypatch.setenv("STEPWELL_API_KEYS", "three")
    settings = Settings()
    assert [key.get_secret_value() for key in settings.event_keys] == ["one", "two"]
    assert [key.get_secret_value() for key in settings.api_keys] == ["three"]
    assert "three" not in repr(settings)


@pytest.mark.parametrize(
    ("header", "status"),
    [
        (None, 401),
        ("Bearer api-key", 200),
        ("bearer second", 200),
        ("Bearer event-key", 401),
        ("Bearer api-ke", 401),
        ("Bearer ", 401),
        ("Bearer", 401),
        ("api-key", 401),
        ("Basic " + b64encode(b"anybody:api-key").decode(), 200),
        ("Basic " + b64encode(b"api-key:wrong").decode(), 401),
        ("Basic !!!", 401),
        ("Basic " + b64encode(b"no colon").decode(), 401),
        ("Digest api-key", 401),
    ],
)
async def test_reading_takes_an_api_key(locked: Desk, header: str | None, status: int) -> None:
    headers = {"Authorization": header} if header else {}
    async with locked.client(dev=False) as client:
        for path in ("/api/v1/runs", "/api/v1/openapi.json", "/nope"):
            answer = await client.get(path, headers=headers)
            assert answer.status_code == (404 if path == "/nope" and status == 200 else status)
        if status == 401:
            assert answer.json()["error"]["code"] == "unauthorized"
            assert answer.headers["www-authenticate"].startswith("Bearer"), "a browser opens no window of its own"
        assert (await client.get("/health/live")).status_code == 200


async def test_pages_that_come_later_are_behind_the_key_too(locked: Desk) -> None:
    async def page(_: Request) -> PlainTextResponse:
        return PlainTextResponse("dashboard", headers={"Content-Security-Policy": "default-src 'self'"})

    async with locked.client(dev=False, routes=[Route("/", page)]) as client:
        assert (await client.get("/")).status_code == 401
        answer = await client.get("/", auth=("", "api-key"))
        assert answer.text == "dashboard"
        assert answer.headers["content-security-policy"] == "default-src 'self'"
        assert answer.headers["x-frame-options"] == "DENY"


NAMES = {
    "127.0.0.1": 200,
    "127.0.0.1:8288": 200,
    "LOCALHOST:1": 200,
    "localhost.": 200,
    "app.localhost": 200,
    "[::1]:8288": 200,
    "127.1.2.3": 200,
    "evil.example": 421,
    "evil.example:8288": 421,
    "127.0.0.1.evil.example": 421,
    "localhost.evil.example": 421,
    "127.0.0.1@evil.example": 421,
    "[::2]": 421,
    "10.0.0.1": 421,
    "\xff\xfe": 421,
}


@pytest.mark.parametrize(("name", "status"), NAMES.items())
async def test_a_page_cannot_give_its_own_name_our_address(desk: Desk, name: str, status: int) -> None:
    async with desk.client() as client:
        for path in ("/api/v1/runs", "/health/live"):
            answer = await client.get(path, headers=[(b"Host", name.encode("latin-1"))])
            assert answer.status_code == status
    if status == 421:
        assert "http://127.0.0.1" in answer.json()["error"]["hint"]


async def test_the_bound_name_is_ours(desk: Desk) -> None:
    async with desk.client(host="app.localhost") as client:
        assert (await client.get("/health/live", headers={"Host": "app.localhost:9"})).status_code == 200


async def test_with_keys_any_name_will_do(locked: Desk) -> None:
    headers = {"Host": "stepwell.example", "Authorization": "Bearer api-key"}
    async with locked.client(dev=False, host="0.0.0.0") as client:
        assert (await client.get("/api/v1/runs", headers=headers)).status_code == 200


def test_names_that_were_seen_are_not_remembered_without_end() -> None:
    access = Access(NONE, dev=True, host="127.0.0.1")
    for port in range(1_000):
        access.check_request("GET", {b"host": f"127.0.0.1:{port}".encode()})
    assert len(access.__dict__["_known_hosts"]) < 100


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 404),
        ({"Origin": "http://127.0.0.1:8288"}, 404),
        ({"Origin": "http://127.0.0.1:9999"}, 403),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": ""}, 403),
        ({"Sec-Fetch-Site": "same-origin"}, 404),
        ({"Sec-Fetch-Site": "none"}, 404),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "cross-site", "Origin": "http://127.0.0.1:8288"}, 403),
    ],
)
async def test_pages_of_other_sites_cannot_act(desk: Desk, headers: dict[str, str], status: int) -> None:
    async with desk.client() as client:
        answer = await client.post("/api/v1/runs/01KDVDNA0000SS5Q8MFXV5EQ69/cancel", headers=headers)
    assert answer.status_code == status
