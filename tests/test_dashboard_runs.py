"""The list of runs: searching it by expressions, and what is done to marked runs."""

from collections.abc import AsyncGenerator
from urllib.parse import urlencode

import httpx2
import pytest
from pydantic import SecretStr

from stepwell.platform.reading.filter import RunFilter
from stepwell.platform.records import Status
from stepwell.platform.settings import Settings
from tests.test_dashboard_pages import HOSTILE, NOBODY, Pages, read, words
from tests.test_dashboard_sign_in import sign_in, token_of

KEYS = tuple(map(SecretStr, ("reader:read:look", "oncall:operate:do", "blind:read+no-payloads:blind")))


@pytest.fixture
async def pages() -> AsyncGenerator[Pages]:
    async with Pages.open() as pages:
        yield pages


@pytest.fixture
async def client(pages: Pages) -> AsyncGenerator[httpx2.AsyncClient]:
    async with pages.client() as client:
        yield client


def asked(expression: str, **more: str) -> str:
    """The list of the runs that an expression is true of."""
    return f"/runs?{urlencode({'q': expression, **more})}"


async def test_runs_are_found_by_an_expression(pages: Pages, client: httpx2.AsyncClient) -> None:
    failed, sleeping = await pages.failed(), await pages.sleeping()
    html = await read(client, asked('error.type == "CardDeclined" && event.data.total > 12'))
    assert failed in html
    assert sleeping not in html
    assert "No run matches" in words(await read(client, asked("event.data.total > 13")))
    assert "All runs" in await read(client, asked("event.data.total > 13", status="failed"))


async def test_a_search_that_has_not_looked_everywhere_says_how_far_it_came(
    pages: Pages, client: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = await pages.failed()
    await pages.sleeping()
    monkeypatch.setattr("stepwell.platform.reading.runs.MOST_EXAMINED", 1)
    monkeypatch.setattr("stepwell.platform.reading.where.AT_ONCE", 1)
    html = await read(client, asked("event.data.total > 12"))
    text = words(html)
    assert "Searched 1 of 2 runs" in text
    assert "No run among the latest" in text
    onward = html.partition("Continue with older ones")[0].rpartition('href="')[2].partition('"')[0]
    assert old in await read(client, onward.replace("&amp;", "&"))


@pytest.mark.parametrize(
    ("expression", "column"), [("error.type ===", 14), ("nobody.knows == 1", 1), (f'event.name == "{HOSTILE}', 15)]
)
async def test_a_mistake_in_an_expression_is_shown_where_it_is(
    pages: Pages, client: httpx2.AsyncClient, expression: str, column: int
) -> None:
    run = await pages.failed()
    html = await read(client, asked(expression))
    assert f"mistake in column {column}" in words(html)
    assert "<mark>" in html
    assert HOSTILE not in html
    assert run not in html, "nothing was searched, so nothing may look as if it had been found"
    assert "No run" not in words(html)


async def test_marked_runs_are_done_again_once_each(pages: Pages, client: httpx2.AsyncClient) -> None:
    runs = [await pages.failed() for _ in range(3)]
    form = {f"run-{run}": "1" for run in runs[:2]} | {"act": "rerun", "request": "r1", "back": "/runs?status=failed"}
    for _ in range(2):
        answer = await client.post("/runs/selected", data=form)
        assert (answer.status_code, answer.headers["location"]) == (303, "/runs?status=failed")
    found = await pages.desk.installation.history.runs(RunFilter())
    assert sorted(one.run.rerun_of or "" for one in found.items) == ["", "", "", *sorted(runs[:2])]


async def test_marked_runs_are_cancelled_and_who_has_ended_stays_as_it_is(
    pages: Pages, client: httpx2.AsyncClient
) -> None:
    failed, sleeping = await pages.failed(), await pages.sleeping()
    form = {f"run-{run}": "1" for run in (failed, sleeping)} | {"act": "cancel", "back": "//elsewhere.example"}
    answer = await client.post("/runs/selected", data=form)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    history = pages.desk.installation.history
    states = [view.run.status for run in (failed, sleeping) if (view := await history.run(run))]
    assert states == [Status.FAILED, Status.CANCELLED]


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({"act": "rerun"}, "No run is marked"),
        ({"act": "rerun", "run-x": "1"}, "No run is marked"),
        ({"act": "eat", f"run-{NOBODY}": "1"}, "Nothing is called &#39;eat&#39;"),
        ({"act": "rerun", f"run-{NOBODY}": "1"}, "1 of 1 runs stayed as they were: there is no run"),
        ({"act": "cancel", f"run-{NOBODY}": "1"}, "there is no run"),
    ],
)
async def test_what_cannot_be_done_to_marked_runs_is_said(
    client: httpx2.AsyncClient, form: dict[str, str], said: str
) -> None:
    answer = await client.post("/runs/selected", data=form)
    assert answer.status_code in (409, 422)
    assert said in words(answer.text)


async def test_only_who_may_operate_marks_and_only_who_sees_payloads_searches_them() -> None:
    async with Pages.open(Settings(api_keys=KEYS)) as locked, locked.client() as client:
        run = await locked.failed()
        await sign_in(client, "look")
        assert "checkbox" not in await read(client, "/runs")
        form = {"act": "cancel", f"run-{run}": "1"}
        assert (await client.post("/runs/selected", data=form)).status_code == 403
        await sign_in(client, "blind")
        assert "may not see payloads" in words(await read(client, asked("event.data.total > 1"), 403))
        await sign_in(client, "do")
        html = await read(client, "/runs")
        assert f'name="run-{run}"' in html
        assert (await client.post("/runs/selected", data=form)).status_code == 403, "without a token"
        answer = await client.post("/runs/selected", data=form | {"token": token_of(html)})
        assert answer.status_code == 303
