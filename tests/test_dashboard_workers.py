"""Workers: who is connected, what each executes, and what nobody serves."""

from collections.abc import AsyncGenerator
from dataclasses import replace

import httpx2
import pytest

from stepwell.platform.engine.cards import Away, Card, Cards
from stepwell.platform.history import History
from tests.test_dashboard_pages import ESCAPED, HOSTILE, Pages, read, words

CARD = Card("box-1", 4_711, {"shop": "1"}, ("shop/charge", "shop/nap"), 8, 0, "0.9", 15_000)


@pytest.fixture
async def pages() -> AsyncGenerator[Pages]:
    async with Pages.open() as pages:
        yield pages


@pytest.fixture
async def client(pages: Pages) -> AsyncGenerator[httpx2.AsyncClient]:
    async with pages.client() as client:
        yield client


async def show(pages: Pages, card: Card) -> None:
    """Has the only worker say this."""
    await pages.desk.lease("shop/hostile")
    started = replace(card, started=pages.desk.clock.now())
    await Cards(pages.desk.installation.partitions[0]).show("w1", started)


async def test_without_a_worker_starting_one_is_taught(client: httpx2.AsyncClient) -> None:
    text = words(await read(client, "/workers"))
    assert "No worker is connected" in text
    assert "stepwell dev path/to/app.py" in text
    assert "3 registered functions wait for one" in text


async def test_a_worker_is_shown_with_what_it_says_and_executes(pages: Pages, client: httpx2.AsyncClient) -> None:
    runs = [await pages.desk.start("order.placed") for _ in range(7)]
    await pages.desk.lease("shop/charge")
    await show(pages, CARD)
    html = await read(client, "/workers")
    text = words(html)
    assert "1 connected · 7 of 8 slots in use" in text
    assert "Fine box-1 · 4711 Stepwell 0.9" in text
    assert "shop 1 2 functions" in text
    assert "and 2 more 7 / 8 now now" in text
    assert html.count('<li id="executed-') == 5
    assert f'href="/runs/{min(runs)}"' in html
    assert "not the registered version" not in text


async def test_a_worker_of_before_says_nothing_of_itself(pages: Pages, client: httpx2.AsyncClient) -> None:
    await pages.desk.lease("shop/charge")
    assert "It does not say nothing 0 now" in words(await read(client, "/workers"))


async def test_a_worker_that_is_late_and_one_that_drains(pages: Pages, client: httpx2.AsyncClient) -> None:
    await show(pages, replace(CARD, draining=True, suspects=True))
    assert "Draining suspects" in words(await read(client, "/workers"))
    pages.desk.clock.advance(10_000)
    assert "Late suspects" in words(await read(client, "/workers"))


async def test_another_version_than_the_registered_one_is_told(pages: Pages, client: httpx2.AsyncClient) -> None:
    await show(pages, replace(CARD, apps={"shop": "2", "other": HOSTILE}))
    html = await read(client, "/workers")
    assert "Version 1 is registered" in html
    assert words(html).count("not the registered version") == 1
    assert HOSTILE not in html
    assert ESCAPED in html


async def test_functions_that_nobody_serves_are_told(
    pages: Pages, client: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    await show(pages, CARD)
    html = await read(client, "/workers")
    assert "No connected worker serves shop/charge shop/hostile shop/nap" in words(html)
    assert 'href="/functions/shop/nap"' in html

    async def all_of(_: History, functions: list[str]) -> dict[str, int]:
        return dict.fromkeys(functions, 1)

    monkeypatch.setattr(History, "served", all_of)
    assert "No connected worker serves" not in words(await read(client, "/workers"))


async def test_an_app_that_is_called_over_http_is_shown_as_such(pages: Pages, client: httpx2.AsyncClient) -> None:
    now = pages.desk.clock.now()
    away = Away("the app answers 502", now - 60_000, now + 30_000)
    await show(pages, replace(CARD, served="http://10.0.0.7/api/inngest", away=away))
    text = words(await read(client, "/workers"))
    assert "App away box-1" in text
    assert "2 functions, called at http://10.0.0.7/api/inngest" in text
    assert "The app answers 502 since 1 m ago , called again in 30 s" in text
