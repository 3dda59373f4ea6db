"""The pages of functions: what is registered in words, how it does, and its pausing and invoking."""

import re
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, cast

import httpx2
import orjson
import pytest

from stepwell.dashboard.functions.view import PAGE
from stepwell.dashboard.wording.controls import EXPLAINED, controls_of
from stepwell.functions.protocol import FunctionManifest
from stepwell.platform.errors import StoreUnavailable
from stepwell.platform.history import History
from stepwell.platform.settings import Settings
from stepwell.platform.store.keys import wake_channel
from stepwell.platform.store.memory import memory_store
from tests.api_desk import Desk, function
from tests.test_dashboard_pages import ESCAPED, HOSTILE, Pages, read, words
from tests.test_dashboard_sign_in import BROWSER, LOCKED, sign_in, token_of

DAY = 86_400_000
CONTROLS: Mapping[str, Any] = {
    "concurrency": [
        {"limit": 5, "key": "event.data.user"},
        {"limit": 20, "scope": "app", "name": "printer"},
        {"limit": 30, "scope": "environment", "name": "scanner", "key": "event.data.site"},
    ],
    "throttle": {"limit": 100, "period": 60_000, "burst": 7, "key": "event.data.shop"},
    "rate_limit": {"limit": 11, "period": 120_000, "key": "event.data.host"},
    "debounce": {"period": 5_000, "timeout": 90_000, "key": "event.data.doc"},
    "batch": {"max_size": 250, "timeout": 10_000, "key": "event.data.lot", "if": "event.data.small"},
    "priority": {"expression": "event.data.vip ? 300 : 0"},
    "singleton": {"key": "event.data.account", "mode": "cancel"},
    "fairness": {"key": "event.data.tenant"},
    "idempotency": {"key": "event.data.order", "period": 3 * DAY},
    "timeouts": {"start": 3_600_000, "finish": 2 * DAY},
    "cancel_on": [{"event": "order.cancelled", "if": "async.data.id == event.data.id", "within": 7 * DAY}],
}
CHANGED: Mapping[Any, Any] = {"cancel": "skip", "app": "environment", "environment": "app"}


@pytest.fixture
async def pages() -> AsyncGenerator[Pages]:
    async with Pages.open() as pages:
        yield pages


@pytest.fixture
async def client(pages: Pages) -> AsyncGenerator[httpx2.AsyncClient]:
    async with pages.client() as client:
        yield client


def manifest(**controls: Any) -> FunctionManifest:
    return FunctionManifest.model_validate(function("f", **controls))


def text_of(**controls: Any) -> str:
    return " ".join(control.text for control in controls_of(manifest(**controls)))


def varied() -> Iterator[tuple[str, str, Any, Any]]:
    """Every control, and each of its fields with another value than it has."""
    for name, given in CONTROLS.items():
        ones = cast("list[dict[str, Any]]", given if isinstance(given, list) else [given])
        for one in ones:
            for field, value in one.items():
                changed = one | {field: CHANGED.get(value, value + 1 if isinstance(value, int) else f"{value}2")}
                yield (name, field, [one], [changed]) if isinstance(given, list) else (name, field, one, changed)


def test_every_control_that_there_is_is_explained() -> None:
    assert set(EXPLAINED) == set(FunctionManifest.model_fields) - {"id", "triggers", "url", "name"}
    assert set(CONTROLS) == set(EXPLAINED) - {"retries"}
    for name, given in CONTROLS.items():
        explained = [control for control in controls_of(manifest(**{name: given})) if control.name == name]
        assert explained, name
        assert all(control.brief and control.text.endswith(".") for control in explained), name


@pytest.mark.parametrize(("name", "field", "given", "other"), list(varied()))
def test_every_value_of_a_control_is_told(name: str, field: str, given: Any, other: Any) -> None:
    assert text_of(**{name: given}) != text_of(**{name: other}), field


@pytest.mark.parametrize(
    ("controls", "said"),
    [
        ({}, "What fails, a step or the function itself, is tried 4 more times, after a pause."),
        ({"retries": {"times": 0}}, "Nothing that fails is tried again."),
        (
            {"concurrency": [{"limit": 5, "key": "event.data.user"}]},
            "At most 5 runs of one event.data.user at once; others wait in their order.",
        ),
        ({"concurrency": [{"limit": 1}]}, "At most 1 run at once; others wait in their order."),
        ({"singleton": {}}, "One run at a time: an event that comes before it has ended starts nothing."),
        ({"timeouts": {"start": 60_000}}, "A run that has not begun 1 m after it was created is cancelled."),
    ],
)
def test_a_control_is_told_in_a_sentence(controls: dict[str, Any], said: str) -> None:
    assert said in text_of(**controls)


async def test_the_list_is_by_app_and_tells_how_each_does(pages: Pages, client: httpx2.AsyncClient) -> None:
    await pages.desk.register(function("index", "doc.changed", concurrency=[{"limit": 3}]), app="search", version="v7")
    await pages.failed()
    await pages.completed("order.placed")
    html = await read(client, "/functions")
    text = words(html)
    assert "Functions 4" in text
    assert text.index("search version v7") < text.index("shop version 1")
    assert "3 at once" in text
    [row] = re.findall(r'<tr id="function-shop/charge">.*?</tr>', html, re.DOTALL)
    assert re.findall(r"c-number[^>]*>([^<]*)<", row) == ["2", "1", "0", "2"]
    assert "No worker" in row
    assert "1 completed, 1 failed" in row
    assert 'href="/functions/shop/charge"' in row


async def test_the_list_is_filtered_by_name_event_and_app(pages: Pages, client: httpx2.AsyncClient) -> None:
    await pages.desk.register(function("index", "doc.changed"), app="search")
    for query, found in (
        ("q=CHARGE", ["shop/charge"]),
        ("q=doc.", ["search/index"]),
        ("app=shop&q=nap", ["shop/nap"]),
        ("app=search", ["search/index"]),
        ("q=nothing", []),
    ):
        html = await read(client, f"/functions?{query}")
        assert re.findall(r'<tr id="function-([^"]+)"', html) == found, query
    assert "No function matches" in words(await read(client, "/functions?q=nothing"))


async def test_many_functions_are_on_pages_of_their_own(pages: Pages, client: httpx2.AsyncClient) -> None:
    await pages.desk.register(*[function(f"f{number:03}") for number in range(PAGE + 2)], app="many")
    first = await read(client, "/functions?app=many")
    assert first.count('<tr id="function-') == PAGE
    assert 'rel="next" href="/functions?app=many&amp;page=2"' in first
    second = await read(client, "/functions?app=many&page=2")
    assert re.findall(r'<tr id="function-([^"]+)"', second) == ["many/f050", "many/f051"]
    assert 'rel="prev" href="/functions?app=many"' in second
    assert "no further functions" in words(await read(client, "/functions?app=many&page=9"))


async def test_without_functions_starting_a_worker_is_taught(pages: Pages, client: httpx2.AsyncClient) -> None:
    await pages.desk.register()
    assert "stepwell dev path/to/app.py" in await read(client, "/functions")


async def test_an_outage_is_told_and_is_no_empty_list(
    client: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: object, **__: object) -> None:
        raise StoreUnavailable("redis://shop", "connection refused")

    monkeypatch.setattr(History, "functions", away)
    assert "Redis cannot be reached" in words(await read(client, "/functions", 503))


async def test_a_function_is_shown_as_it_is_registered(pages: Pages, client: httpx2.AsyncClient) -> None:
    await pages.desk.register(
        {
            **function("fulfil", "order.paid"),
            **{name: CONTROLS[name] for name in CONTROLS if name != "batch"},
            "triggers": [
                {"event": "order.paid", "if": "event.data.total > 100"},
                {"cron": "0 9 * * mon-fri", "tz": "Europe/Berlin"},
            ],
        },
        function("fulfil.on_failure", "inngest/function.failed"),
        version="v9",
    )
    text = words(await read(client, "/functions/shop/fulfil"))
    for said in (
        "order.paid if event.data.total &gt; 100",
        "0 9 * * mon-fri in Europe/Berlin",
        "version v9",
        "At most 5 runs of one event.data.user at once",
        "shop/fulfil.on_failure is called when a run has failed",
        "No worker serves this function",
        "stepwell functions invoke shop/fulfil --data",
    ):
        assert said in text, said
    assert len(re.findall(r"(?:Mon|Tue|Wed|Thu|Fri) \d{4}-\d\d-\d\d 09:00 \+0[12]:00 in ", text)) == 3
    handler = words(await read(client, "/functions/shop/fulfil.on_failure"))
    assert "It is called when a run of shop/fulfil has failed." in handler


async def test_a_function_says_how_it_has_done_and_who_waits(pages: Pages, client: httpx2.AsyncClient) -> None:
    await pages.desk.register(function("charge", concurrency=[{"limit": 1, "key": "event.data.user"}]))
    failed = await pages.failed()
    await pages.completed("order.placed")
    holder = await pages.desk.start("order.placed", {"user": "ada"})
    await pages.desk.lease("shop/charge")
    for _ in range(2):
        await pages.desk.start("order.placed", {"user": "ada"})
    await pages.desk.start("order.placed", {"user": HOSTILE})
    await pages.desk.lease("shop/charge")
    html = await read(client, "/functions/shop/charge")
    text = words(html)
    assert "Failure rate, 24 h 50 % 1 of 2 that ended" in text
    assert "1 completed, 1 failed" in html
    [row] = re.findall(r'<tr id="key-shop/charge#0\|ada">.*?</tr>', html, re.DOTALL)
    assert (
        " ".join(re.sub(r"<[^>]*>", " ", row).split()) == f"concurrency ada event.data.user 1 / 1 full {holder[-8:]} 2"
    )
    assert f'href="/runs/{holder}"' in row
    assert HOSTILE not in html
    assert ESCAPED in html
    assert f'href="/runs/{failed}"' in html
    assert "CardDeclined: no money" in text
    assert 'href="/runs?status=failed&amp;function=shop%2Fcharge"' in html


async def test_ready_runs_are_counted_and_workers_too(pages: Pages, client: httpx2.AsyncClient) -> None:
    for _ in range(3):
        await pages.desk.start("nap")
    assert "Ready 3 wait for a worker" in words(await read(client, "/functions/shop/nap"))
    await pages.desk.lease("shop/nap")
    assert "Ready 0 wait for a worker" in words(await read(client, "/functions/shop/nap"))
    async with listening(pages, "shop/nap"):
        text = words(await read(client, "/functions/shop/nap"))
        assert "nap Ready Invoke" in text
        assert "No worker" not in text


@asynccontextmanager
async def listening(pages: Pages, function: str) -> AsyncGenerator[None]:
    """Somebody listens for its runs, as a worker does."""
    async with pages.desk.installation.store.subscribe(wake_channel(function)) as messages:
        await anext(messages)
        yield


async def test_a_function_that_is_not_there_is_a_page_that_says_so(client: httpx2.AsyncClient) -> None:
    for path in ("/functions/shop/none", f"/functions/shop/{'x' * 600}", "/functions/shop/none/invoke"):
        assert "There is no function" in words(await read(client, path, 404))
    for verb in ("pause", "resume", "invoke"):
        assert (await client.post(f"/functions/shop/none/{verb}")).status_code == 404, verb


async def test_it_is_paused_in_three_ways_and_resumed(pages: Pages, client: httpx2.AsyncClient) -> None:
    path = "/functions/shop/charge"
    for mode, means in (("keep", "which wait as well"), ("hold", "have not begun wait"), ("drop", "start none")):
        answer = await client.post(f"{path}/pause", data={"mode": mode})
        assert (answer.status_code, answer.headers["location"]) == (303, path)
        html = await read(client, path)
        assert f"Paused with {mode}, since" in words(html)
        assert means in words(html)
        assert f'value="{mode}" checked' in html, "the form begins with what is chosen"
        assert f"Paused ({mode})" in words(await read(client, "/functions"))
    answer = await client.post(f"{path}/resume")
    assert (answer.status_code, answer.headers["location"]) == (303, path)
    assert "Paused" not in words(await read(client, path))
    refused = await client.post(f"{path}/pause", data={"mode": HOSTILE})
    assert refused.status_code == 422
    assert HOSTILE not in refused.text


async def test_it_is_invoked_and_leads_to_the_run(pages: Pages, client: httpx2.AsyncClient) -> None:
    answer = await client.post("/functions/shop/charge/invoke", data={"data": '{"id": "A"}'})
    assert answer.status_code == 303
    [lease] = await pages.desk.lease("shop/charge")
    assert answer.headers["location"] == f"/runs/{lease.run}"
    assert lease.event.data == {"id": "A"}
    assert (await client.post("/functions/shop/charge/invoke", data={"data": " "})).status_code == 303, "without data"


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ('{"id": ', "the data of the event is no JSON: "),
        ("[1]", "the data of the event is no JSON object"),
        (f'{{"a": "{HOSTILE}"', "the data of the event is no JSON: "),
        ('{"x": "' + "x" * 1_100 + '"}', "the limit is 1,024"),
        ('{"a":' * 300 + "1" + "}" * 300, "nested"),
    ],
)
async def test_what_was_typed_is_kept_when_it_cannot_be_used(typed: str, said: str) -> None:
    async with memory_store() as store:
        pages = Pages(Desk.over(store, Settings(max_event_bytes=1_024)))
        await pages.desk.register(function("charge"))
        async with pages.client() as client:
            answer = await client.post("/functions/shop/charge/invoke", data={"data": typed})
        assert answer.status_code in (409, 422)
        assert said in words(answer.text)
        [kept] = re.findall(r"<textarea[^>]*>\n(.*?)</textarea>", answer.text, re.DOTALL)
        assert kept == typed.replace("<", "&lt;").replace(">", "&gt;").replace('"', "&#34;")
        assert await pages.desk.lease("shop/charge") == []


async def test_a_refusal_keeps_what_was_typed(pages: Pages, client: httpx2.AsyncClient) -> None:
    await client.post("/functions/shop/charge/pause", data={"mode": "drop"})
    answer = await client.post("/functions/shop/charge/invoke", data={"data": '{"n":1}'})
    assert answer.status_code == 409
    assert "has started no run: the function was paused, and drops what comes meanwhile. Resume" in words(answer.text)
    assert "{&#34;n&#34;:1}" in answer.text
    assert orjson.loads((await client.get("/api/v1/runs")).content)["data"] == []


async def test_no_page_has_styles_or_scripts_of_its_own(pages: Pages, client: httpx2.AsyncClient) -> None:
    await pages.failed()
    await pages.desk.register(function("charge", triggers=[{"cron": "@hourly"}], concurrency=[{"limit": 1}]))
    [schedule] = await pages.desk.installation.schedules.all()
    path = "/functions/shop/charge"
    for one in ("/functions", path, f"{path}/invoke", "/schedules", f"/schedules/{schedule.schedule.id}"):
        html = await read(client, one)
        assert not re.search(r"<style|\sstyle=|\son[a-z]+=|<script(?![^>]*\ssrc=)", html), one
        assert not re.search(r"(?:src|href|action)=\"(?!/|#)", html), one


@pytest.mark.parametrize("path", ["/functions", "/functions/shop/charge", "/schedules"])
async def test_who_may_only_read_is_offered_nothing_else(path: str) -> None:
    async with Pages.open(LOCKED) as pages, pages.client() as client:
        await pages.desk.register(function("charge", triggers=[{"cron": "@hourly"}]))
        client.headers.update(BROWSER)
        await sign_in(client, "see")
        html = (await client.get(path)).text
        assert not re.search(r'<form action="/(functions|schedules)/[^"]*" method="post"', html)
        assert (await client.get("/functions/shop/charge/invoke")).status_code == 403
        for verb in ("invoke", "pause", "resume"):
            answer = await client.post(f"/functions/shop/charge/{verb}", data={"token": token_of(html)})
            assert answer.status_code == 403, verb
            assert "This takes the scope" in words(answer.text)
        await sign_in(client, "do")
        html = (await client.get("/functions/shop/charge")).text
        assert '<form class="act-form" action="/functions/shop/charge/invoke" method="post"' in html
        answer = await client.post("/functions/shop/charge/pause", data={"token": token_of(html), "mode": "hold"})
        assert answer.status_code == 303
