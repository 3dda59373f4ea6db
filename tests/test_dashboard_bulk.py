"""Bulk actions on pages: what would be done is shown before it is, how far it has come, and stopping it."""

from collections.abc import AsyncGenerator
from dataclasses import replace
from urllib.parse import urlencode

import httpx2
import pytest
from pydantic import SecretStr

from stepwell.platform.bulk.jobs import Note, Outcome
from stepwell.platform.bulk.order import BulkOrder
from stepwell.platform.bulk.wanted import Wanted
from stepwell.platform.records import Status
from stepwell.platform.settings import Settings
from tests.test_dashboard_pages import HOSTILE, NOBODY, Pages, read, words
from tests.test_dashboard_sign_in import sign_in, token_of

KEYS = tuple(map(SecretStr, ("reader:read:look", "oncall:operate:do", "blind:operate+no-payloads:blind")))
FAILED = {"action": "rerun", "status": "failed"}


@pytest.fixture
async def pages() -> AsyncGenerator[Pages]:
    async with Pages.open() as pages:
        yield pages


@pytest.fixture
async def client(pages: Pages) -> AsyncGenerator[httpx2.AsyncClient]:
    async with pages.client() as client:
        yield client


def asked(**fields: str) -> str:
    """The page that asks whether it is meant."""
    return f"/bulk/new?{urlencode(fields)}"


async def begun(client: httpx2.AsyncClient, **fields: str) -> str:
    """The address of a job that was asked for."""
    answer = await client.post("/bulk", data=fields)
    assert answer.status_code == 303, answer.text
    address: str = answer.headers["location"]
    return address


async def test_the_list_leads_to_what_can_be_done_to_all_of_it(pages: Pages, client: httpx2.AsyncClient) -> None:
    await pages.failed()
    html = await read(client, "/runs?status=failed&function=shop%2Fcharge&q=true")
    assert "/bulk/new?status=failed&amp;function=shop%2Fcharge&amp;q=true&amp;action=rerun" in html
    assert "action=cancel" not in html, "they have ended"
    await pages.sleeping()
    html = await read(client, "/runs?status=waiting")
    assert "action=cancel" in html
    assert "action=rerun" not in html


async def test_what_would_be_done_is_shown_with_the_errors_there_are(pages: Pages, client: httpx2.AsyncClient) -> None:
    runs = [await pages.failed() for _ in range(3)]
    await pages.sleeping()
    pages.desk.clock.advance(1)
    html = await read(client, asked(**FAILED))
    text = words(html)
    assert "Rerun 3 runs?" in text
    assert "All 3 have failed with one error" in text
    assert "CardDeclined no money" in text
    assert runs[-1] in html
    assert HOSTILE not in html
    listed = html.partition('class="error-links">')[2].partition('href="')[2].partition('"')[0].replace("&amp;", "&")
    found = await read(client, listed.replace("&#34;", '"'))
    assert all(run in found for run in runs)
    assert "Cancel 1 run?" in words(await read(client, asked(action="cancel", function="shop/nap")))


async def test_a_job_does_what_its_page_has_shown_and_nothing_twice(pages: Pages, client: httpx2.AsyncClient) -> None:
    for _ in range(2):
        await pages.failed()
    html = await read(client, asked(**FAILED))
    form = dict.fromkeys(("status", "before", "action", "request", "rate"), "")
    for name in form:
        form[name] = html.partition(f'name="{name}" ')[2].partition('value="')[2].partition('"')[0]
    address = await begun(client, **form)
    assert address == await begun(client, **form), "the same form, sent twice"
    text = words(await read(client, address))
    assert "Going on" in text
    assert "Created before" in text
    assert "Rerun" in words(await read(client, "/bulk"))
    answer = await client.post(f"{address}/stop")
    assert answer.headers["location"] == address
    assert "Stopp" in words(await read(client, address))
    answer = await client.post(f"{address}/resume")
    assert answer.headers["location"] == address
    assert "Going on" in words(await read(client, address))
    assert "Rate is &#39;x&#39;" in words((await client.post("/bulk", data={"action": "rerun", "rate": "x"})).text)


async def test_a_job_that_has_done_its_part_shows_what_it_made_and_what_not(
    pages: Pages, client: httpx2.AsyncClient
) -> None:
    jobs = pages.desk.installation.bulk
    run = await pages.failed()
    pages.desk.clock.advance(1)
    id = await jobs.begin(BulkOrder("rerun", Wanted(Status.FAILED, q='event.name == "<b>"')), "oncall")
    job = await jobs.take(id, "t")
    assert job
    outcomes = [Outcome(run, made=NOBODY), Outcome(run, reason=f"no {HOSTILE}")]
    await jobs.note(job, "t", Note("-", (), outcomes, searched=2, total=2, matched=2, ending="done"))
    html = await read(client, f"/bulk/{id}")
    text = words(html)
    assert "Done" in text
    assert "100 %" in text
    assert "by oncall" in text
    assert f"/runs/{NOBODY}" in html
    assert HOSTILE not in html
    assert "&lt;b&gt;" in html


async def test_a_job_that_was_stopped_has_come_no_further_than_when_it_went_on(
    pages: Pages, client: httpx2.AsyncClient
) -> None:
    jobs = pages.desk.installation.bulk
    runs = [await pages.failed() for _ in range(4)]
    pages.desk.clock.advance(1)
    id = await jobs.begin(BulkOrder("rerun", Wanted(Status.FAILED)), "oncall")
    job = await jobs.take(id, "t")
    assert job
    await jobs.note(job, "t", Note("-", runs[1:], [Outcome(runs[0], made=NOBODY)], searched=4, total=4, matched=4))
    assert "25 %" in words(await read(client, f"/bulk/{id}"))
    await client.post(f"/bulk/{id}/stop")
    await jobs.note(replace(job, todo=tuple(runs[1:]), seq=job.seq + 1), "t", Note("-", (), ()))
    text = words(await read(client, f"/bulk/{id}"))
    assert "Stopped" in text
    assert "25 %" in text


async def test_nothing_is_done_to_all_runs_by_a_slip(pages: Pages, client: httpx2.AsyncClient) -> None:
    await pages.sleeping()
    pages.desk.clock.advance(1)
    html = await read(client, asked(action="cancel"))
    assert "I mean all runs" in html
    answer = await client.post("/bulk", data={"action": "cancel"})
    assert answer.status_code == 422
    assert "would cancel all runs" in words(answer.text)
    await begun(client, action="cancel", all="true")


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        (asked(action="cancel", status="failed"), 422, "is for runs that have not ended"),
        (asked(action="eat"), 400, "action is &#39;eat&#39;"),
        (asked(action="rerun", q="1 +"), 400, "q, column"),
        (f"/bulk/{NOBODY}", 404, "there is no bulk job"),
        ("/bulk/x", 404, "there is no bulk job"),
        ("/bulk?cursor=x", 400, "is not one"),
    ],
)
async def test_what_cannot_be_is_said(client: httpx2.AsyncClient, path: str, status: int, said: str) -> None:
    assert said.lower() in words(await read(client, path, status)).lower()


async def test_nothing_to_do_is_said_before_it_is_asked_for(client: httpx2.AsyncClient) -> None:
    text = words(await read(client, asked(**FAILED)))
    assert "Rerun 0 runs?" in text
    assert "runs have to have ended to be rerun" in text
    assert "No bulk action yet" in words(await read(client, "/bulk"))


async def test_a_job_is_asked_for_by_who_operates_and_expressions_by_who_sees_payloads() -> None:
    async with Pages.open(Settings(api_keys=KEYS)) as locked, locked.client() as client:
        await locked.failed()
        await sign_in(client, "look")
        assert "/bulk/new" not in await read(client, "/runs")
        assert (await client.get(asked(**FAILED))).status_code == 403
        assert (await client.post("/bulk", data=FAILED)).status_code == 403
        await sign_in(client, "blind")
        html = await read(client, asked(**FAILED))
        assert "may not see payloads" in words(await read(client, asked(**FAILED, q="true"), 403))
        token = {"token": token_of(html)}
        assert (await client.post("/bulk", data=FAILED | token | {"q": "true"})).status_code == 403
        assert (await client.post("/bulk", data=FAILED)).status_code == 403, "without a token"
        address = (await client.post("/bulk", data=FAILED | token)).headers["location"]
        assert "by blind" in words(await read(client, address))
