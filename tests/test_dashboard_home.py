"""The first page: what it counts, and what it says needs attention."""

import re
from collections.abc import AsyncGenerator

import httpx2
import pytest

from stepwell.platform.doctor.finding import wrong
from stepwell.platform.doctor.glance import Glance, ServerFacts
from stepwell.platform.engine.cards import Away, Card, Cards
from stepwell.platform.engine.leases import Leases
from stepwell.platform.errors import StoreUnavailable
from stepwell.platform.flow.pausing import Pausing
from stepwell.platform.history import History
from tests.api_desk import function
from tests.test_dashboard_pages import ESCAPED, HOSTILE, Pages, read, words

MINUTE = 60_000
LIMITED = {"concurrency": [{"limit": 1, "key": "event.data.customer"}]}
HELD = "shop/limited#0|ann"


@pytest.fixture
async def pages() -> AsyncGenerator[Pages]:
    async with Pages.open() as pages:
        yield pages


@pytest.fixture
async def client(pages: Pages) -> AsyncGenerator[httpx2.AsyncClient]:
    async with pages.client() as client:
        yield client


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers listen for every function, as far as anybody asks."""

    async def all_of(_: History, functions: list[str]) -> dict[str, int]:
        return dict.fromkeys(functions, 1)

    monkeypatch.setattr(History, "served", all_of)


async def at_work(pages: Pages) -> None:
    """Lets a worker be heard of at the time it is now."""
    await Leases(pages.desk.installation.partitions[0], 15_000, 3).beat("w1")


def troubles(html: str) -> list[str]:
    """The lines of what needs attention, without their times."""
    lines = re.findall(r'<li class="trouble [^"]*"[^>]*>(.*?)</li>', html, re.DOTALL)
    return [" ".join(re.sub(r"<time.*?</time>|<[^>]*>", " ", line).split()).partition(": ")[2] for line in lines]


async def test_without_functions_it_teaches_how_to_get_some(pages: Pages, client: httpx2.AsyncClient) -> None:
    await pages.desk.register()
    text = words(await read(client, "/"))
    assert "No function is registered" in text
    assert "stepwell dev path/to/app.py" in text
    assert "Needs attention" not in text


async def test_what_has_happened_is_counted(pages: Pages, client: httpx2.AsyncClient) -> None:
    await pages.failed()
    for _ in range(3):
        await pages.completed("order.placed")
    await pages.sleeping()
    html = await read(client, "/")
    text = words(html)
    for said in ("Events 5 last 1 h", "Runs started 5", "Failed 1 25 % of 4", "Waiting 1 now", "Running 0 now"):
        assert said in text
    assert "3 completed, 1 failed" in html, "said of a column"
    assert 'href="/runs?status=failed&amp;function=shop%2Fcharge"' in html
    assert "shop/charge 25 % 1 of 4" in text
    assert "Oldest unfinished run shop/nap Waiting" in text
    assert "Sleeping in rest , wakes in 1 h 0 m" in text


async def test_the_time_is_in_the_address(pages: Pages, client: httpx2.AsyncClient) -> None:
    await pages.failed()
    pages.desk.clock.advance(3 * 60 * MINUTE)
    assert "Failed 0" in words(await read(client, "/"))
    for within in ("24h", "7d"):
        html = await read(client, f"/?within={within}")
        assert "Failed 1" in words(html)
        assert f'<a href="/?within={within}" aria-current="true">' in html
    assert "within" in words(await read(client, "/?within=1y", 400))


@pytest.mark.usefixtures("served")
async def test_when_all_is_well_it_says_so(pages: Pages, client: httpx2.AsyncClient) -> None:
    await at_work(pages)
    await pages.completed("order.placed")
    assert "Nothing needs attention" in words(await read(client, "/"))


async def test_without_a_worker_it_says_so_and_how_many_runs_wait(pages: Pages, client: httpx2.AsyncClient) -> None:
    run = await pages.desk.start("order.placed")
    await pages.desk.start("order.placed")
    html = await read(client, "/")
    assert troubles(html) == [
        "No worker is connected: 3 functions are registered, and none executes",
        "shop/charge has 2 runs waiting, and no worker serves it",
    ]
    assert f'<a class="trouble-link" href="/runs/{run}">' in html, "the page of the run says the rest"


@pytest.mark.usefixtures("served")
async def test_runs_of_a_function_that_went_are_not_forgotten(pages: Pages, client: httpx2.AsyncClient) -> None:
    await pages.desk.start("order.placed")
    await pages.desk.register(function("nap", "nap"))
    await at_work(pages)
    assert troubles(await read(client, "/")) == ["shop/charge has 1 run waiting, and no app registers it any more"]


@pytest.mark.usefixtures("served")
async def test_a_paused_function_is_told_with_the_runs_that_wait(pages: Pages, client: httpx2.AsyncClient) -> None:
    installation = pages.desk.installation
    pausing = Pausing(installation.partitions, installation.registry)
    await pausing.pause("shop/charge", "keep")
    await pausing.pause("shop/nap", "drop")
    await pages.desk.start("order.placed")
    await at_work(pages)
    html = await read(client, "/")
    assert troubles(html) == [
        "shop/charge is paused: 1 run waits",
        "shop/nap is paused, and events start no more runs",
    ]
    assert 'href="/functions/shop/charge"' in html


@pytest.mark.usefixtures("served")
async def test_an_order_that_is_stuck_is_told_with_its_cause(pages: Pages, client: httpx2.AsyncClient) -> None:
    await pages.desk.register(function("limited", "limited", **LIMITED))
    first, second = [await pages.desk.start("limited", {"customer": "ann"}) for _ in range(2)]
    [lease] = await pages.desk.lease("shop/limited")
    waiting = second if lease.run == first else first
    pages.desk.clock.advance(9 * MINUTE)
    await at_work(pages)
    assert troubles(await read(client, "/")) == [], "ten minutes are no reason yet"
    pages.desk.clock.advance(2 * MINUTE)
    await at_work(pages)
    html = await read(client, "/")
    [line] = troubles(html)
    assert line.startswith("shop/limited a run has waited for 11 m 0 s to begin. Every slot of the key “ann” is taken")
    assert f'href="/runs/{waiting}"' in html


@pytest.mark.usefixtures("served")
async def test_a_run_that_is_to_begin_later_is_not_stuck(pages: Pages, client: httpx2.AsyncClient) -> None:
    await pages.desk.start("order.placed", ts=pages.desk.clock.now() + 60 * MINUTE)
    pages.desk.clock.advance(30 * MINUTE)
    await at_work(pages)
    assert troubles(await read(client, "/")) == []
    pages.desk.clock.advance(31 * MINUTE)
    await pages.desk.tick()
    await at_work(pages)
    assert troubles(await read(client, "/")) == [], "its time came a minute ago"


@pytest.mark.usefixtures("served")
async def test_a_slot_that_nobody_uses_is_told(pages: Pages, client: httpx2.AsyncClient) -> None:
    await pages.desk.register(function("limited", "limited", **LIMITED))
    home = pages.desk.installation.partitions[0]
    await home.read("ZADD", home.keys.name("k_slots", HELD), pages.desk.clock.now(), "stale")
    await pages.desk.start("limited", {"customer": "ann"})
    assert await pages.desk.lease("shop/limited") == []
    html = await read(client, "/")
    assert troubles(html) == ["Slots of shop/limited for “ann”: one is held by a run that nobody executes"]
    assert 'href="/queues?text=shop%2Flimited%230%7Cann"' in html


@pytest.mark.usefixtures("served")
async def test_a_worker_that_is_late_and_a_schedule_that_is_overdue(pages: Pages, client: httpx2.AsyncClient) -> None:
    poll = {"id": "poll", "triggers": [{"cron": "* * * * *"}], "retries": {"times": 0}}
    await pages.desk.register(poll)
    await pages.desk.lease("shop/poll")
    text = words(await read(client, "/"))
    assert "Next schedules shop/poll * * * * * UTC in 1 m 0 s" in text
    pages.desk.clock.advance(2 * MINUTE + 1_000)
    html = await read(client, "/")
    overdue, late = troubles(html)
    assert re.fullmatch(r"shop/poll/[0-9a-f]{8} is a schedule that has not fired when it was due", overdue)
    assert late == "w1 is a worker that has not been heard of since; it has 0 runs"
    assert 'href="/workers#worker-w1"' in html


@pytest.mark.usefixtures("served")
async def test_memory_is_a_figure_and_what_endangers_it_is_told(
    pages: Pages, client: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = ServerFacts("here", "Redis 7.4", 95 << 20, 100 << 20, 1, 1, "noeviction", "append-only file")
    full = wrong("memory", "95 MB of 100 MB are used: new events are about to be refused", "Raise `maxmemory`")

    async def seen(*_: object) -> Glance:
        return Glance((server,), (full,))

    monkeypatch.setattr("stepwell.dashboard.home.view.glance", seen)
    await at_work(pages)
    html = await read(client, "/")
    assert "Redis memory 95.0 MiB 95 % of 100.0 MiB" in words(html)
    assert troubles(html) == ["Memory: 95 MB of 100 MB are used: new events are about to be refused"]


@pytest.mark.usefixtures("served")
async def test_a_function_that_mostly_fails_is_told(pages: Pages, client: httpx2.AsyncClient) -> None:
    for _ in range(4):
        await pages.failed()
    await at_work(pages)
    assert troubles(await read(client, "/")) == []
    await pages.failed()
    await pages.completed("order.placed")
    html = await read(client, "/")
    assert troubles(html) == ["shop/charge fails: 5 of 6 runs that ended in the last hour"]
    assert 'class="trouble-link" href="/runs?status=failed&amp;function=shop%2Fcharge"' in html
    pages.desk.clock.advance(61 * MINUTE)
    await at_work(pages)
    assert troubles(await read(client, "/")) == []


async def test_names_are_text(pages: Pages, client: httpx2.AsyncClient) -> None:
    await pages.desk.register(function("limited", "limited", **LIMITED))
    home = pages.desk.installation.partitions[0]
    for _ in range(2):
        await pages.desk.start("limited", {"customer": HOSTILE})
    [lease] = await pages.desk.lease("shop/limited")
    await home.read("ZADD", home.keys.name("k_slots", f"shop/limited#0|{lease.lane.partition('|')[2]}"), 1, "stale")
    html = await read(client, "/")
    assert HOSTILE not in html
    assert ESCAPED in html


async def test_an_outage_is_no_calm_page(client: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    async def away(*_: object, **__: object) -> None:
        raise StoreUnavailable("redis://shop", "connection refused")

    monkeypatch.setattr(History, "oldest", away)
    text = words(await read(client, "/", 503))
    assert "Redis cannot be reached" in text
    assert "Nothing needs attention" not in text


@pytest.mark.usefixtures("served")
async def test_an_app_that_is_away_is_named(pages: Pages, client: httpx2.AsyncClient) -> None:
    now = pages.desk.clock.now()
    away = Away("the app answers 502", now - MINUTE, now + 30_000)
    card = Card("box", 1, {"shop": "1"}, ("shop/charge",), 8, now, "1", 15_000, served="http://10.0.0.7/", away=away)
    await at_work(pages)
    await Cards(pages.desk.installation.partitions[0]).show("w1", card)
    assert troubles(await read(client, "/")) == ["shop cannot be called: app shop answers 502. Its runs wait"]
