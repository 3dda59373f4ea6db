"""Signing in: a key for a session, what the session is good for, and what it is not."""

import re
from base64 import b64decode
from collections.abc import AsyncGenerator, Mapping
from importlib.metadata import version
from typing import Any

import httpx2
import pytest
from pydantic import SecretStr

from stepwell.platform.api.api_keys import api_keys
from stepwell.platform.api.attempts import IN_ALL, PER_ADDRESS, PERIOD, Attempts
from stepwell.platform.api.door import local
from stepwell.platform.api.scopes import Grant, Scope
from stepwell.platform.api.sessions import COOKIE, LENGTH, Sessions, cookie
from stepwell.platform.settings import Settings
from tests.test_dashboard_pages import HOSTILE, Pages, words

KEYS = ("viewer:read:see", "oncall:operate:do", "blind:operate+no-payloads:blind", "owner")
LOCKED = Settings(event_keys=(SecretStr("e"),), api_keys=tuple(map(SecretStr, KEYS)))
BROWSER = {"Accept": "text/html,*/*;q=0.8", "Sec-Fetch-Site": "same-origin"}
ELSEWHERE = [
    "//evil.example",
    "///evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "https://evil.example/",
    "evil.example",
    "javascript:alert(1)",
    "/\t/evil.example",
    "/runs\r\nSet-Cookie: a=b",
    "/é",
    "",
    "/sign-in?next=/sign-in",
    "/sign-out",
]


@pytest.fixture
async def pages() -> AsyncGenerator[Pages]:
    async with Pages.open(LOCKED) as pages:
        yield pages


@pytest.fixture
async def client(pages: Pages) -> AsyncGenerator[httpx2.AsyncClient]:
    async with pages.client() as client:
        client.headers.update(BROWSER)
        yield client


async def sign_in(client: httpx2.AsyncClient, key: str, onward: str = "/runs", **headers: str) -> httpx2.Response:
    """What is answered to a key in the form."""
    return await client.post("/sign-in", data={"key": key, "next": onward}, headers=headers)


def token_of(html: str) -> str:
    """The token of the first form."""
    found = re.search(r'name="token" value="([^"]+)"', html)
    assert found
    return found[1]


def sessions(*keys: str) -> Sessions:
    return Sessions(api_keys([SecretStr(key) for key in keys]))


@pytest.mark.parametrize("path", ["/", "/runs", "/runs/x?steps=all", "/nope"])
async def test_a_page_without_a_session_leads_to_where_one_signs_in(client: httpx2.AsyncClient, path: str) -> None:
    answer = await client.get(path)
    assert answer.status_code == 303
    where = httpx2.URL(answer.headers["location"])
    assert (where.path, where.params["next"]) == ("/sign-in", path)


async def test_what_is_no_page_is_refused_and_leads_nowhere(client: httpx2.AsyncClient) -> None:
    for path, accept in (("/api/v1/runs", "text/html"), ("/runs", "*/*"), ("/api/v1/stream", "text/event-stream")):
        answer = await client.get(path, headers={"Accept": accept})
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"].startswith("Bearer")
    assert (await client.post("/runs/x/cancel")).status_code == 401


async def test_a_key_leads_on_and_opens_the_pages(pages: Pages, client: httpx2.AsyncClient) -> None:
    run = await pages.failed()
    html = (await client.get("/sign-in?next=/runs?status=failed")).text
    assert 'name="next" value="/runs?status=failed"' in html
    assert 'type="password"' in html
    assert 'href="/runs"' not in html, "there is nothing yet to go to"
    assert version("stepwell") not in html, "nor to know"
    answer = await sign_in(client, " do ", "/runs?status=failed")
    assert (answer.status_code, answer.headers["location"]) == (303, "/runs?status=failed")
    html = (await client.get("/runs?status=failed")).text
    assert run in html
    assert "oncall" in html
    assert (await client.get("/sign-in?next=/runs/x")).headers["location"] == "/runs/x", "one is signed in already"


async def test_the_session_is_a_cookie_that_scripts_and_other_sites_cannot_use(client: httpx2.AsyncClient) -> None:
    said = (await sign_in(client, "do")).headers["set-cookie"]
    assert said.startswith(f"{COOKIE}=")
    assert said.endswith("; Path=/; Max-Age=43200; HttpOnly; SameSite=Strict")
    answer = await sign_in(client, "do", **{"Origin": "https://stepwell.example", "Sec-Fetch-Site": "same-origin"})
    assert answer.headers["set-cookie"].endswith("; Secure"), "the browser is on https, whatever is in between"
    answer = await client.post("https://127.0.0.1:8288/sign-in", data={"key": "do"})
    assert answer.headers["set-cookie"].endswith("; Secure")


@pytest.mark.parametrize("address", ELSEWHERE)
async def test_signing_in_leads_to_no_other_server(client: httpx2.AsyncClient, address: str) -> None:
    assert local(address) == "/"
    assert (await sign_in(client, "do", address)).headers["location"] == "/"
    assert (await client.get("/sign-in", params={"next": address})).headers["location"] == "/"


async def test_an_address_that_looks_like_another_server_is_not_led_back_to(client: httpx2.AsyncClient) -> None:
    answer = await client.get("http://127.0.0.1:8288//evil.example/x")
    assert answer.headers["location"] == "/sign-in?next=%2F"


@pytest.mark.parametrize(
    "key",
    ["", "do ne", "d", "oncall:operate:do", "oncall", HOSTILE, "\0é\ud83e\udd14".encode(errors="replace").decode()],
)
async def test_a_wrong_key_is_told_on_the_page(client: httpx2.AsyncClient, key: str) -> None:
    answer = await sign_in(client, key, "/runs?status=failed")
    assert answer.status_code == 401
    assert "This server knows no such key." in words(answer.text)
    assert 'role="alert"' in answer.text
    assert 'aria-describedby="sign-in-error sign-in-help"' in answer.text
    assert 'value="/runs?status=failed"' in answer.text
    assert "set-cookie" not in answer.headers
    assert "www-authenticate" not in answer.headers
    assert (await client.get("/runs")).status_code == 303


async def test_who_guesses_has_to_wait_and_then_may_try_again(pages: Pages, client: httpx2.AsyncClient) -> None:
    for _ in range(PER_ADDRESS):
        assert (await sign_in(client, "guess")).status_code == 401
        pages.desk.clock.advance(1_000)
    for key in ("guess", "do"):
        answer = await sign_in(client, key)
        assert (answer.status_code, answer.headers["retry-after"]) == (429, "50")
        assert "Try again in 50 s." in words(answer.text)
    pages.desk.clock.advance(50_000)
    assert (await sign_in(client, "do")).status_code == 303


def test_attempts_are_counted_by_address_and_in_all_and_are_not_kept() -> None:
    attempts = Attempts()
    for number in range(IN_ALL):
        assert attempts.wait(f"10.0.0.{number}", number) == 0
        attempts.failed(f"10.0.0.{number}", number)
    assert attempts.wait("192.0.2.1", IN_ALL) == PERIOD - IN_ALL, "from the first on"
    assert attempts.wait("192.0.2.1", PERIOD) == 0, "the first is over"
    assert attempts.wait("", 10 * PERIOD) == 0
    assert len(attempts.__dict__["_failures"]) == 0


def test_all_addresses_of_one_holder_count_as_one() -> None:
    attempts = Attempts()
    for number in range(PER_ADDRESS):
        attempts.failed(f"2001:db8::{number}:1", 0)
    assert attempts.wait("2001:db8::ffff", 1) == PERIOD - 1
    assert attempts.wait("2001:db8:0:1::1", 1) == 0


async def test_a_session_ends_after_twelve_hours(pages: Pages, client: httpx2.AsyncClient) -> None:
    await sign_in(client, "do")
    pages.desk.clock.advance(LENGTH - 1)
    assert (await client.get("/runs")).status_code == 200
    pages.desk.clock.advance(1)
    assert (await client.get("/runs")).status_code == 303
    assert (await client.get("/runs", headers={"Accept": "*/*"})).status_code == 401, "for the page, which loads itself"


def test_a_session_is_known_by_servers_with_the_same_keys_and_by_no_others() -> None:
    ours = sessions("a:read:1", "b:operate+no-payloads:2")
    [_, second] = api_keys([SecretStr("a:read:1"), SecretStr("b:operate+no-payloads:2")])
    session = ours.begin(second.grant, 0)
    assert ours.grant(session, LENGTH - 1) == Grant("b", Scope.OPERATE, payloads=False, signed_in=True)
    assert sessions("b:operate+no-payloads:2", "a:read:1").grant(session, 1) is not None
    for changed in (
        ("a:read:1", "b:operate+no-payloads:3"),
        ("a:read:1", "b:operate:2"),
        ("b:operate+no-payloads:2",),
        ("a:read:9", "b:operate+no-payloads:2"),
    ):
        assert sessions(*changed).grant(session, 1) is None
    assert b64decode(session.partition(".")[0] + "==") == b'{"name":"b","end":43200000}', "and nothing of the key"


def test_a_session_that_is_not_ours_to_the_letter_is_none() -> None:
    ours = sessions("a:read:1")
    [key] = api_keys([SecretStr("a:read:1")])
    session = ours.begin(key.grant, 0)
    body, _, signature = session.partition(".")
    for wrong in (
        "",
        ".",
        "x",
        body,
        f"{body}.",
        f".{signature}",
        f"{body}.{signature[:-4]}",
        f"{body[:-4]}.{signature}",
        "é.é",
        session * 9,
    ):
        assert ours.grant(wrong, 1) is None
    for place in range(len(body)):
        other = "A" if body[place] != "A" else "B"
        assert ours.grant(f"{body[:place]}{other}{body[place + 1 :]}.{signature}", 1) is None
    assert ours.grant(ours.token(key.grant), 1) is None
    assert cookie("", secure=False, seconds=0) == f"{COOKIE}=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict"


async def test_signing_out_ends_it_in_this_browser(client: httpx2.AsyncClient) -> None:
    await sign_in(client, "see")
    token = token_of((await client.get("/runs")).text)
    assert (await client.get("/sign-out")).status_code == 405
    assert (await client.post("/sign-out")).status_code == 403
    assert (await client.get("/runs")).status_code == 200
    answer = await client.post("/sign-out", data={"token": token})
    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in")
    assert (await client.get("/runs")).status_code == 303
    assert (await client.post("/sign-out")).status_code == 303, "twice does no harm"


async def test_a_session_reads_the_api_and_the_page_acts(pages: Pages, client: httpx2.AsyncClient) -> None:
    run = await pages.sleeping()
    await sign_in(client, "do")
    assert (await client.get(f"/api/v1/runs/{run}")).json()["data"]["id"] == run
    answer = await client.post(f"/api/v1/runs/{run}/cancel")
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "session_reads")
    token = token_of((await client.get(f"/runs/{run}")).text)
    answer = await client.post(f"/runs/{run}/cancel", data={"token": token})
    assert (answer.status_code, answer.headers["location"]) == (303, f"/runs/{run}")
    assert "Cancelled" in words((await client.get(f"/runs/{run}")).text)


FORGED: list[tuple[dict[str, str], Mapping[str, str]]] = [
    ({}, {}),
    ({"token": ""}, {}),
    ({"token": "é"}, {}),
    ({"token": "TOKEN of viewer"}, {}),
    ({"token": "TOKEN"}, {"Sec-Fetch-Site": "cross-site"}),
    ({"token": "TOKEN"}, {"Sec-Fetch-Site": "same-site"}),
]


@pytest.mark.parametrize(("form", "headers"), FORGED)
async def test_a_form_that_is_not_ours_does_nothing(
    pages: Pages, client: httpx2.AsyncClient, form: dict[str, str], headers: Mapping[str, str]
) -> None:
    run = await pages.sleeping()
    await sign_in(client, "see")
    viewers = token_of((await client.get("/runs")).text)
    await sign_in(client, "do")
    known = {"TOKEN": token_of((await client.get("/runs")).text), "TOKEN of viewer": viewers}
    data = {name: known.get(value, value) for name, value in form.items()}
    answer = await client.post(f"/runs/{run}/cancel", data=data, headers=dict(headers))
    assert answer.status_code == 403
    assert "Waiting because" in words((await client.get(f"/runs/{run}")).text)


async def test_another_site_cannot_sign_anybody_in(client: httpx2.AsyncClient) -> None:
    answer = await sign_in(client, "do", **{"Sec-Fetch-Site": "cross-site"})
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers


async def test_who_may_only_read_is_offered_nothing_else(pages: Pages, client: httpx2.AsyncClient) -> None:
    run = await pages.sleeping()
    await sign_in(client, "see")
    html = (await client.get(f"/runs/{run}")).text
    assert "Cancel run" not in html
    answer = await client.post(f"/runs/{run}/cancel", data={"token": token_of(html)})
    assert answer.status_code == 403
    assert "This takes the scope" in words(answer.text)
    assert "&#39;operate&#39;" in answer.text


async def test_pages_hide_payloads_from_who_may_not_see_them(pages: Pages, client: httpx2.AsyncClient) -> None:
    run, sleeping = await pages.failed(), await pages.sleeping()
    await sign_in(client, "do")
    html = (await client.get(f"/runs/{run}")).text
    assert "12.5" in html
    assert "shop.py" in html
    await sign_in(client, "blind")
    html = (await client.get(f"/runs/{run}")).text
    for payload in ("12.5", "customer", "shop.py"):
        assert payload not in html
    text = words(html)
    assert "CardDeclined no money" in text
    assert "hidden from your key" in text
    assert "hello" not in (await client.get(f"/runs/{sleeping}")).text
    for what in ("of=input", "of=output", "step=look-up"):
        answer = await client.get(f"/runs/{run}/payload?{what}")
        assert answer.status_code == 403
        assert "may not see payloads" in words(answer.text)
    assert '"hidden":true' in (await client.get(f"/api/v1/runs/{run}")).text


async def test_a_link_of_another_site_finds_the_session(client: httpx2.AsyncClient) -> None:
    path = '/runs?event="><b>&status=failed'
    answer = await client.get(path, headers={"Sec-Fetch-Site": "cross-site"})
    assert answer.status_code == 200
    [onward] = re.findall(r'content="0;url=([^"]+)"', answer.text)
    assert onward == "/runs?event=%22%3E%3Cb%3E&amp;status=failed"
    answer = await client.get(path)
    assert answer.status_code == 303, "from here there is none either"


async def test_a_wrong_key_in_a_header_is_not_made_up_for_by_a_session(client: httpx2.AsyncClient) -> None:
    await sign_in(client, "do")
    assert (await client.get("/api/v1/runs", headers={"Authorization": "Bearer wrong"})).status_code == 401


async def test_the_password_of_basic_opens_the_pages_as_before(pages: Pages, client: httpx2.AsyncClient) -> None:
    run = await pages.sleeping()
    html = (await client.get(f"/runs/{run}", auth=("", "do"))).text
    assert "Sign out" not in html
    assert (await client.post(f"/runs/{run}/cancel", auth=("", "do"))).status_code == 403
    answer = await client.post(f"/runs/{run}/cancel", data={"token": token_of(html)}, auth=("", "do"))
    assert answer.status_code == 303


async def test_a_form_is_no_way_to_fill_the_memory(client: httpx2.AsyncClient) -> None:
    many: dict[str, Any] = {f"f{number}": "x" for number in range(101)}
    assert (await client.post("/sign-in", data=many)).status_code == 422
    assert (await client.post("/sign-in", data={"key": "x" * (17 << 10)})).status_code == 413
    await sign_in(client, "do")
    token = token_of((await client.get("/runs")).text)
    assert (await client.post("/runs/x/cancel", data={"token": token, "x": "x" * (17 << 10)})).status_code == 404
    assert (await client.post("/runs/x/cancel", data={"token": token, "x": "x" * (1 << 20)})).status_code == 413


async def test_where_no_key_is_asked_for_nobody_signs_in() -> None:
    async with Pages.open() as pages, pages.client() as client:
        assert (await client.get("/sign-in?next=/runs")).headers["location"] == "/runs"
        answer = await client.post("/sign-in", data={"key": "x"})
        assert (answer.status_code, answer.headers["location"]) == (303, "/")
        assert "Sign out" not in (await client.get("/runs")).text


async def test_the_page_and_its_files_are_for_everybody(client: httpx2.AsyncClient) -> None:
    html = (await client.get("/sign-in")).text
    assert "<script" not in html
    for path in re.findall(r'"(/static/[^"]+)"', html):
        assert (await client.get(path)).status_code == 200, path
    assert (await client.get("/health/live")).status_code == 200
    assert (await client.get("/static/../runs")).status_code in (303, 404)
