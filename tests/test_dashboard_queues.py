"""Queues and keys: what each function has to do, who holds what, and giving back what nobody uses."""

from collections.abc import AsyncGenerator

import httpx2
import pytest
from pydantic import SecretStr

from stepwell.platform.flow.pausing import Pausing
from stepwell.platform.settings import Settings
from tests.api_desk import function
from tests.test_dashboard_pages import ESCAPED, HOSTILE, Pages, read, words

LIMITED = {"concurrency": [{"limit": 1, "key": "event.data.customer"}]}
SCOPE = "shop/limited#0|ann"
OURS = {"Sec-Fetch-Site": "same-origin"}
KEYS = tuple(SecretStr(key) for key in ("see:read:s1", "run:operate:s2", "all:admin:s3"))


@pytest.fixture
async def pages() -> AsyncGenerator[Pages]:
    async with Pages.open() as pages:
        await limited(pages)
        yield pages


@pytest.fixture
async def client(pages: Pages) -> AsyncGenerator[httpx2.AsyncClient]:
    async with pages.client() as client:
        yield client


async def limited(pages: Pages) -> None:
    """Two functions, of which one has a key."""
    await pages.desk.register(function("plain", "plain"), function("limited", "limited", **LIMITED))


async def leave_behind(pages: Pages) -> str:
    """A slot that nobody uses any more, and a run that waits for it; the id of that."""
    home = pages.desk.installation.partitions[0]
    await home.read("ZADD", home.keys.name("k_slots", SCOPE), pages.desk.clock.now(), "stale")
    run = await pages.desk.start("limited", {"customer": "ann"})
    assert await pages.desk.lease("shop/limited") == []
    return run


async def test_what_each_function_has_to_do(pages: Pages, client: httpx2.AsyncClient) -> None:
    await pages.desk.start("plain")
    run = await pages.desk.start("plain")
    html = await read(client, "/queues")
    assert "shop/plain 2 – – – – – none" in words(html)
    assert html.index('id="queue-shop/plain"') < html.index('id="queue-shop/limited"'), "those with work first"
    assert "No run has a slot, and none waits for one" in words(html)
    installation = pages.desk.installation
    await Pausing(installation.partitions, installation.registry).pause("shop/plain", "keep")
    assert "shop/plain paused – – – – 2" in words(await read(client, "/queues"))
    assert run


async def test_who_holds_a_key_and_who_waits(pages: Pages, client: httpx2.AsyncClient) -> None:
    for _ in range(3):
        await pages.desk.start("limited", {"customer": "ann"})
    [lease] = await pages.desk.lease("shop/limited")
    html = await read(client, "/queues")
    text = words(html)
    assert "shop/limited – 1 2 – – – none" in text
    assert f"Slots of shop/limited ann 1 / 1 {lease.run[-8:]} now its worker 1 2" in text
    assert f'<a href="/runs/{lease.run}"' in html
    assert 'href="/workers#worker-w1"' in html
    assert "Release" not in text, "it is in use"


async def test_keys_are_found_by_text_and_by_constraint(pages: Pages, client: httpx2.AsyncClient) -> None:
    for customer in ("ann", "bob"):
        await pages.desk.start("limited", {"customer": customer})
    leases = await pages.desk.lease("shop/limited")
    for filtered in ("text=ANN", "text=shop/limited%230%7Cann", f"text={leases[0].run}"):
        html = await read(client, f"/queues?{filtered}")
        assert html.count('<tr id="key-') == 1, filtered
    assert (await read(client, "/queues?constraint=shop/limited%230")).count('<tr id="key-') == 2
    text = words(await read(client, "/queues?text=nobody"))
    assert "No function is called so" in text
    assert "No key that has a holder, or that somebody waits for, matches" in text
    assert 'value="nobody"' in await read(client, "/queues?text=nobody")


async def test_of_very_many_keys_it_is_said_that_there_may_be_more(
    pages: Pages, client: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stepwell.dashboard.queues.view.MOST_KEYS", 2)
    for customer in range(4):
        await pages.desk.start("limited", {"customer": customer})
    await pages.desk.lease("shop/limited")
    html = await read(client, "/queues")
    assert html.count('<tr id="key-') == 2
    assert "there may be more" in words(html)


async def test_a_slot_that_nobody_uses_is_given_to_who_waits(pages: Pages, client: httpx2.AsyncClient) -> None:
    run = await leave_behind(pages)
    html = await read(client, "/queues")
    assert "nobody executes it" in words(html)
    assert '<form class="act-form" action="/queues/release" method="post">' in html
    response = await client.post("/queues/release", headers=OURS, data={"scope": SCOPE, "run": "stale"})
    assert (response.status_code, response.headers["location"]) == (303, "/queues?text=shop%2Flimited%230%7Cann")
    assert [lease.run for lease in await pages.desk.lease("shop/limited")] == [run]


async def test_a_slot_in_use_stays_and_one_that_is_not_there_is_told(pages: Pages, client: httpx2.AsyncClient) -> None:
    await pages.desk.start("limited", {"customer": "ann"})
    [lease] = await pages.desk.lease("shop/limited")
    response = await client.post("/queues/release", headers=OURS, data={"scope": SCOPE, "run": lease.run})
    assert response.status_code == 409
    assert "Cancel the run to have it let go" in words(response.text)
    gone = await client.post("/queues/release", headers=OURS, data={"scope": SCOPE, "run": "stale"})
    assert gone.status_code == 404
    away = await client.post("/queues/release", headers={"Sec-Fetch-Site": "cross-site"}, data={"scope": SCOPE})
    assert away.status_code == 403


@pytest.mark.parametrize(("secret", "offered"), [("s1", False), ("s2", False), ("s3", True)])
async def test_releasing_is_for_administrators(secret: str, offered: bool) -> None:
    async with Pages.open(Settings(api_keys=KEYS)) as pages, pages.client() as client:
        await limited(pages)
        await leave_behind(pages)
        by = {"Authorization": f"Bearer {secret}"}
        html = (await client.get("/queues", headers=by)).text
        assert "nobody executes it" in html
        assert ("/queues/release" in html) is offered
        response = await client.post("/queues/release", headers=by | OURS, data={"scope": SCOPE, "run": "stale"})
        assert response.status_code == 403, "the token of the form is missing, or the scope"


async def test_keys_are_text(pages: Pages, client: httpx2.AsyncClient) -> None:
    await pages.desk.start("limited", {"customer": HOSTILE})
    await pages.desk.lease("shop/limited")
    html = await read(client, f"/queues?text={HOSTILE}")
    assert HOSTILE not in html
    assert html.count(ESCAPED) == 2, "as a key, and in the form"


async def test_without_functions_starting_a_worker_is_taught(pages: Pages, client: httpx2.AsyncClient) -> None:
    await pages.desk.register()
    assert "stepwell worker path/to/app.py" in words(await read(client, "/queues"))
