"""The pages as a browser without JavaScript gets them."""

import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import httpx2
import orjson
import pytest

from stepwell.dashboard import routes
from stepwell.platform.engine.leases import Leases
from stepwell.platform.errors import StoreUnavailable
from stepwell.platform.history import History
from stepwell.platform.settings import Settings
from stepwell.platform.steering.order import Order
from stepwell.platform.store.memory import memory_store
from tests.api_desk import Address, Desk, function

NOBODY = "01KDVDNA0000SS5Q8MFXV5EQ69"
ESCAPED = "&lt;script&gt;alert(1)&lt;/script&gt;"
HOSTILE = "<script>alert(1)</script>"
TRACEBACK = [{"file": "/app/shop.py", "line": 7, "function": "charge"}]
DECLINED = {"type": "CardDeclined", "message": f"no money {HOSTILE}", "traceback": TRACEBACK}


class Pages:
    """A desk whose application has the dashboard."""

    def __init__(self, desk: Desk, *, dev: bool = True) -> None:
        self.desk = desk
        self.dev = dev

    @classmethod
    @asynccontextmanager
    async def open(cls, settings: Settings | None = None) -> AsyncGenerator["Pages"]:
        """Over an empty store, with three functions registered; with settings, as `stepwell server` does it."""
        async with memory_store() as store:
            pages = cls(Desk.over(store, settings), dev=settings is None)
            names = (("charge", "order.placed"), ("nap", "nap"), ("hostile", HOSTILE))
            await pages.desk.register(*[function(name, event) for name, event in names])
            yield pages

    @asynccontextmanager
    async def client(self) -> AsyncGenerator[httpx2.AsyncClient]:
        """Reads the pages without a network."""
        pages = routes(self.desk.installation, dev=self.dev)
        async with self.desk.client(dev=self.dev, routes=pages) as client:
            yield client

    @asynccontextmanager
    async def serving(self) -> AsyncGenerator[Address]:
        """Serves the pages on loopback."""
        pages = routes(self.desk.installation, dev=self.dev)
        async with self.desk.serving(dev=self.dev, routes=pages) as server:
            yield server

    async def failed(self) -> str:
        """A run that has failed at its second step; its id."""
        run = await self.desk.start("order.placed", {"customer": HOSTILE, "total": 12.5})
        [lease] = await self.desk.lease("shop/charge")
        owner, error, paid = self.desk.owner(), orjson.dumps(DECLINED), b'{"ok":true}'
        await owner.checkpoint(run, lease.token, 1, "look-up", "run", ok=True, attempts=2, took=3, payload=paid)
        await owner.checkpoint(run, lease.token, 2, "charge", "run", ok=False, attempts=5, took=3, payload=error)
        await owner.finish(run, lease.token, 3, "failed", error)
        return run

    async def sleeping(self) -> str:
        """A run that waits for the end of a sleep, behind a step that is done; its id."""
        run = await self.desk.start("nap")
        [lease] = await self.desk.lease("shop/nap")
        owner = self.desk.owner()
        await owner.checkpoint(run, lease.token, 1, "greet", "run", ok=True, attempts=1, took=3, payload=b'"hello"')
        await owner.arm(run, lease.token, 2, "rest", "sleep", delay=3_600_000, until=None, payload=b"")
        await owner.suspend(run, lease.token, 3, 1)
        return run

    async def stepping(self, count: int) -> str:
        """A run that executes, with so many steps done; its id."""
        run = await self.desk.start("nap")
        [lease] = await self.desk.lease("shop/nap")
        owner = self.desk.owner()
        for step in range(1, count + 1):
            await owner.checkpoint(run, lease.token, step, f"s{step}", "run", ok=True, attempts=1, took=0, payload=b"1")
        return run

    async def completed(self, name: str) -> str:
        """A run that an event of this name has started, and that has ended well; its id."""
        run = await self.desk.start(name)
        await self.desk.finish_all("shop/charge", "shop/hostile", body={"ok": True})
        return run


@pytest.fixture
async def pages() -> AsyncGenerator[Pages]:
    async with Pages.open() as pages:
        yield pages


@pytest.fixture
async def client(pages: Pages) -> AsyncGenerator[httpx2.AsyncClient]:
    async with pages.client() as client:
        yield client


async def read(client: httpx2.AsyncClient, path: str, status: int = 200) -> str:
    response = await client.get(path)
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    return response.text


def words(html: str) -> str:
    """What is read on a page, in one line."""
    return " ".join(re.sub(r"<[^>]*>", " ", html.partition("<main")[2]).split())


async def test_an_installation_without_runs_teaches_how_to_start_one(client: httpx2.AsyncClient) -> None:
    text = words(await read(client, "/runs"))
    assert "No run yet" in text
    assert "stepwell send order.placed" in text
    assert "--url" not in text


async def test_the_command_that_is_taught_reaches_a_server_elsewhere(pages: Pages, client: httpx2.AsyncClient) -> None:
    response = await client.get("/runs", headers={"Host": "127.0.0.1:9000"})
    assert "--url http://127.0.0.1:9000" in response.text


async def test_without_functions_starting_a_worker_is_taught() -> None:
    async with Pages.open() as pages, pages.client() as client:
        await pages.desk.register()
        assert "stepwell dev path/to/app.py" in await read(client, "/runs")


async def test_the_list_says_what_became_of_each_run(pages: Pages, client: httpx2.AsyncClient) -> None:
    failed, sleeping = await pages.failed(), await pages.sleeping()
    html = await read(client, "/runs")
    assert html.index(f'href="/runs/{sleeping}"') < html.index(f'href="/runs/{failed}"'), "newest first"
    text = words(html)
    for said in ("All 2", "Waiting 1", "Failed 1", "Completed 0", "CardDeclined: no money"):
        assert said in text


async def test_hostile_text_is_shown_as_text(pages: Pages, client: httpx2.AsyncClient) -> None:
    run, failed = await pages.completed(HOSTILE), await pages.failed()
    for path in ("/runs", f"/runs/{run}", f"/runs/{failed}", f"/runs?event={HOSTILE}"):
        html = (await client.get(path)).text
        assert HOSTILE not in html, path
        assert ESCAPED in html, path


@pytest.mark.parametrize("path", ["/runs", f"/runs/{NOBODY}", "/static/js/live.js"])
async def test_a_page_runs_nothing_but_our_own_files(client: httpx2.AsyncClient, path: str) -> None:
    response = await client.get(path)
    policy = response.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy
    assert response.headers["x-content-type-options"] == "nosniff"


async def test_no_page_has_styles_or_scripts_of_its_own(pages: Pages, client: httpx2.AsyncClient) -> None:
    for path in ("/runs", f"/runs/{await pages.failed()}", f"/runs/{await pages.sleeping()}", f"/runs/{NOBODY}"):
        html = (await client.get(path)).text
        assert not re.search(r"<style|\sstyle=|\son[a-z]+=|<script(?![^>]*\ssrc=)", html), path
        assert not re.search(r"(?:src|href|action)=\"(?!/|#)", html), path


async def test_filters_are_in_the_address_and_in_the_form(pages: Pages, client: httpx2.AsyncClient) -> None:
    failed, sleeping = await pages.failed(), await pages.sleeping()
    html = await read(client, "/runs?status=waiting&function=shop/nap&within=1h")
    assert sleeping in html
    assert failed not in html
    assert 'name="function" value="shop/nap"' in html
    assert '<option value="1h" selected>' in html
    assert '<input type="hidden" name="status" value="waiting">' in html
    assert "/runs?status=failed&amp;function=shop%2Fnap&amp;within=1h" in html, "a status keeps the other filters"


async def test_fields_left_empty_do_not_stay_in_the_address(client: httpx2.AsyncClient) -> None:
    response = await client.get("/runs?status=failed&function=&event=&app=&within=")
    assert (response.status_code, response.headers["location"]) == (307, "/runs?status=failed")


async def test_a_filter_that_nothing_matches_says_so_and_can_be_cleared(
    pages: Pages, client: httpx2.AsyncClient
) -> None:
    await pages.failed()
    html = await read(client, "/runs?function=shop/none")
    assert "No run matches" in words(html)
    assert 'href="/runs">All runs' in html


async def test_the_whole_id_of_a_run_can_be_copied_from_the_list(pages: Pages, client: httpx2.AsyncClient) -> None:
    run = await pages.failed()
    assert f'data-copy="{run}"' in await read(client, "/runs")


async def test_an_outage_is_told_and_is_no_empty_list(
    client: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: object, **__: object) -> None:
        raise StoreUnavailable("redis://shop", "connection refused")

    monkeypatch.setattr(History, "runs", away)
    text = words(await read(client, "/runs", 503))
    assert "Redis cannot be reached" in text
    assert "No run" not in text


async def test_a_filter_that_makes_no_sense_is_told(client: httpx2.AsyncClient) -> None:
    assert "400" in words(await read(client, "/runs?status=sleepy", 400))
    assert "Open the list from its beginning" in words(await read(client, "/runs?cursor=x", 400))


async def test_older_runs_are_a_page_away(pages: Pages, client: httpx2.AsyncClient) -> None:
    started = [await pages.desk.start("nap") for _ in range(52)]
    first = await read(client, "/runs?function=shop/nap")
    assert first.count("<tr id=") == 50
    older = re.search(r'rel="next" href="([^"]+)"', first)
    assert older
    second = await read(client, older[1].replace("&amp;", "&"))
    assert [run for run in started if f"run-{run}" in second] == started[:2]
    assert 'rel="first" href="/runs?function=shop%2Fnap"' in second
    assert 'rel="next"' not in second


async def test_a_failed_run_shows_where_and_why(pages: Pages, client: httpx2.AsyncClient) -> None:
    html = await read(client, f"/runs/{await pages.failed()}")
    text = words(html)
    assert "Failed with CardDeclined no money" in text
    assert "charge app/shop.py:7" in text
    assert "Timeline 2" in text
    assert "5 attempts" in text
    assert re.search(r'<details class="step" id="step-2" open>', html), "the step that failed is open"
    assert "Cancel run" not in html
    assert "api/v1/stream" not in html, "nothing can change any more"


async def test_a_run_shows_whence_it_comes_its_versions_and_its_drift(pages: Pages, client: httpx2.AsyncClient) -> None:
    first = await pages.desk.start("order.placed")
    [partition] = pages.desk.installation.partitions
    leases = Leases(partition, 15_000, 3)
    [lease] = (await leases.lease("w", "w:1", 1, ["shop/charge"], {"shop/charge": "2"})).leases
    await pages.desk.owner().finish(first, lease.token, 1, "completed", b"1", b'["old","older"]')
    text = words(await read(client, f"/runs/{first}"))
    assert "executed by 2" in text
    assert "Drift recorded, and not asked for any more: old , older" in text
    assert "Rerun of" not in text
    second = await pages.desk.installation.steering.rerun(first, Order())
    html = await read(client, f"/runs/{second}")
    assert f'<a href="/runs/{first}">' in html
    assert f"Rerun of {first}" in words(html)
    assert "Drift" not in words(html)


async def test_a_sleeping_run_says_what_it_waits_for(pages: Pages, client: httpx2.AsyncClient) -> None:
    run = await pages.sleeping()
    html = await read(client, f"/runs/{run}")
    text = words(html)
    assert "Waiting because Sleeping in rest , wakes in 1 h 0 m" in text
    assert "&#34;hello&#34;" in text
    assert f'data-stream="/api/v1/stream?run={run}"' in html


async def test_a_large_output_is_behind_a_link(pages: Pages, client: httpx2.AsyncClient) -> None:
    run = await pages.desk.start("order.placed")
    [lease] = await pages.desk.lease("shop/charge")
    output = "x" * (70 << 10)
    await pages.desk.finish(lease, body=output)
    html = await read(client, f"/runs/{run}")
    assert output not in html
    assert f'href="/runs/{run}/payload"' in html
    assert (await client.get(f"/runs/{run}/payload")).content == orjson.dumps(output)


async def test_of_many_steps_the_first_and_last_are_shown(pages: Pages, client: httpx2.AsyncClient) -> None:
    run = await pages.stepping(403)
    html, whole = await read(client, f"/runs/{run}"), await read(client, f"/runs/{run}?steps=all")
    assert html.count('<details class="step"') == 400
    assert "3 steps between are left out" in words(html)
    assert whole.count('<details class="step"') == 403
    assert (groups(html)["steps-201"], groups(whole)["steps-201"]) == (
        [f"step-{number}" for number in range(204, 211)],
        [f"step-{number}" for number in range(201, 211)],
    ), "a step is always in the same group, or a page that is read anew would close what its reader has opened"
    assert [len(steps) for steps in groups(html).values()] == [10] * 20 + [7] + [10] * 19 + [3]


def groups(html: str) -> dict[str, list[str]]:
    """The steps of each group that a browser lays out together."""
    parts = re.split(r'<div class="step-group[^"]*" id="(.*?)">', html)[1:]
    steps = [re.findall(r'<details class="step" id="(.*?)"', part) for part in parts[1::2]]
    return dict(zip(parts[::2], steps, strict=True))


async def test_a_run_that_is_not_there_is_a_page_that_says_so(client: httpx2.AsyncClient) -> None:
    text = words(await read(client, f"/runs/{NOBODY}", 404))
    assert f"There is no run &#39;{NOBODY}&#39;" in text
    assert "All runs" in text


async def test_the_cancel_form_cancels_and_comes_back(pages: Pages, client: httpx2.AsyncClient) -> None:
    run = await pages.sleeping()
    assert f'<form class="act-form" action="/runs/{run}/cancel" method="post"' in await read(client, f"/runs/{run}")
    response = await client.post(f"/runs/{run}/cancel", headers={"Sec-Fetch-Site": "same-origin"})
    assert (response.status_code, response.headers["location"]) == (303, f"/runs/{run}")
    assert "Cancelled" in words(await read(client, f"/runs/{run}"))


@pytest.mark.parametrize(
    "headers", [{"Sec-Fetch-Site": "cross-site"}, {"Origin": "http://evil.example"}, {"Origin": "null"}]
)
async def test_another_site_cannot_cancel(pages: Pages, client: httpx2.AsyncClient, headers: dict[str, str]) -> None:
    run = await pages.sleeping()
    assert (await client.post(f"/runs/{run}/cancel", headers=headers)).status_code == 403
    assert "Waiting because" in await read(client, f"/runs/{run}")


async def test_cancelling_is_no_link(pages: Pages, client: httpx2.AsyncClient) -> None:
    assert (await client.get(f"/runs/{await pages.sleeping()}/cancel")).status_code == 405


async def test_static_files_are_asked_for_once(client: httpx2.AsyncClient) -> None:
    html = await read(client, "/runs")
    for path in re.findall(r'"(/static/[^"]+)"', html):
        first = await client.get(path)
        assert first.status_code == 200, path
        again = await client.get(path, headers={"If-None-Match": first.headers["etag"]})
        assert (again.status_code, again.content) == (304, b""), path


async def test_the_changing_part_can_be_had_alone(pages: Pages, client: httpx2.AsyncClient) -> None:
    run = await pages.sleeping()
    response = await client.get(f"/runs/{run}", headers={"Stepwell-Fragment": "1"})
    assert "<main" in response.text
    assert "<script" not in response.text
    assert response.headers["vary"] == "Stepwell-Fragment"


async def test_a_path_without_a_page_is_a_page_for_browsers_and_a_problem_for_programs(
    client: httpx2.AsyncClient,
) -> None:
    browser = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
    answer = await client.get(f"/schedule/{HOSTILE}", headers=browser)
    assert answer.status_code == 404
    assert "There is no page at" in words(answer.text)
    assert HOSTILE not in answer.text
    assert 'href="/schedules"' in answer.text
    for path, headers in (("/schedule", {}), ("/api/v1/schedule", browser)):
        answer = await client.get(path, headers=headers)
        assert answer.status_code == 404
        assert answer.json()["error"]["message"] == "there is nothing at this path"
