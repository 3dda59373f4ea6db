"""The pages of schedules: when they fire by the clocks of their zone, what they have done, and what is done to them."""

import re
from collections.abc import AsyncGenerator
from datetime import UTC, datetime
from itertools import islice
from typing import Any

import httpx2
import pytest

from stepwell.dashboard.schedules.times import shown_time, typed_time
from stepwell.dashboard.schedules.view import PAGE
from stepwell.dashboard.wording.clocks import fires
from stepwell.platform.cron.expression import fires as times_of
from stepwell.platform.cron.schedules import NEW
from stepwell.platform.errors import StoreUnavailable
from stepwell.platform.scheduler import Scheduler
from stepwell.platform.store.store import Store
from tests.api_desk import Desk, function
from tests.test_dashboard_pages import HOSTILE, Pages, read, words
from tests.test_dashboard_sign_in import BROWSER, LOCKED, sign_in, token_of

HOUR, DAY = 3_600_000, 86_400_000
NIGHTLY = {"cron": "30 2 * * *", "tz": "Europe/Berlin", "overlap": "skip", "jitter": 60_000}


def ms(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


def timed(name: str, **choices: Any) -> dict[str, Any]:
    """A function that is started by the clock."""
    return function(name, triggers=[{"cron": "@hourly", **choices}])


@pytest.fixture
async def pages() -> AsyncGenerator[Pages]:
    async with Pages.open() as pages:
        await pages.desk.register(timed("tidy"))
        yield pages


@pytest.fixture
async def client(pages: Pages) -> AsyncGenerator[httpx2.AsyncClient]:
    async with pages.client() as client:
        yield client


async def path_of(pages: Pages) -> str:
    """Where the only schedule is."""
    [view] = await pages.desk.installation.schedules.all()
    return f"/schedules/{view.schedule.id}"


async def advance(desk: Desk, ms: int) -> None:
    """Lets time pass, and what is due happen."""
    desk.clock.advance(ms)
    installation = desk.installation
    await Scheduler(installation.partitions, desk.clock, installation.settings, installation.waits.errands).tick()


@pytest.mark.parametrize(
    ("cron", "tz", "now", "notes"),
    [
        (
            "30 2 * * *",
            "Europe/Berlin",
            "2026-03-28T00:00",
            ["", "clocks are put forward by 1 h at this moment", ""],
        ),
        (
            "30 2 * * *",
            "Europe/Berlin",
            "2026-10-24T00:00",
            ["", "clocks show this time twice; this is the first", "clocks are put back by 1 h before this"],
        ),
        (
            "*/30 2 * * *",
            "Europe/Berlin",
            "2026-10-24T12:00",
            [
                "clocks show this time twice; this is the first",
                "clocks show this time twice; this is the first",
                "clocks show this time twice; this is the second",
                "clocks show this time twice; this is the second",
                "",
            ],
        ),
        ("0 9 * * *", "Europe/Berlin", "2026-03-28T12:00", ["clocks are put forward by 1 h before this", ""]),
        ("0 9 * * *", "Australia/Lord_Howe", "2026-04-04T00:00", ["clocks are put back by 30 m before this", ""]),
        ("0 9 * * *", "UTC", "2026-03-28T12:00", ["", ""]),
    ],
)
def test_changes_of_the_clocks_are_told(cron: str, tz: str, now: str, notes: list[str]) -> None:
    at = ms(now)
    found = fires(islice(times_of(cron, tz, at), len(notes)), tz, at)
    assert [fire.note for fire in found] == notes


def test_times_are_those_of_the_clocks_of_the_zone() -> None:
    at = ms("2026-03-28T12:00")
    first, second = fires(islice(times_of("30 9 * * *", "America/St_Johns", at - 1), 2), "America/St_Johns", at)
    assert first.local == "Sat 2026-03-28 09:30 -02:30"
    assert (first.moment.absolute, first.moment.text) == ("2026-03-28 12:00:00 UTC", "now")
    assert second.moment.text == "in 1 d 0 h"
    [berlin] = fires([at], "Europe/Berlin", at)
    assert berlin.local == "Sat 2026-03-28 13:00 +01:00"
    assert fires([], "Nowhere/Known", at) == ()


def test_what_is_typed_is_read_by_the_clocks_of_the_zone() -> None:
    assert typed_time("2026-07-01T09:00", "Europe/Berlin") == ms("2026-07-01T07:00")
    assert typed_time("2026-10-25T02:30", "Europe/Berlin") == ms("2026-10-25T00:30"), "the first of two"
    assert typed_time("2026-07-01T09:00+00:00", "Europe/Berlin") == ms("2026-07-01T09:00")
    assert shown_time(ms("2026-07-01T07:00"), "Europe/Berlin") == "2026-07-01T09:00"


async def test_the_schedules_of_given_ids_are_read(store: Store) -> None:
    desk = Desk.over(store)
    await desk.register(timed("a"), timed("b"), timed("c"))
    views = await desk.installation.schedules.all()
    wanted = [views[2].schedule.id, "shop/none/12345678", views[0].schedule.id]
    assert await desk.installation.schedules.some(wanted) == [views[0], views[2]]
    assert views[0].state != NEW


async def test_without_schedules_it_is_taught_how_to_write_one(pages: Pages, client: httpx2.AsyncClient) -> None:
    await pages.desk.register(function("charge"))
    text = words(await read(client, "/schedules"))
    assert "No schedule" in text
    assert "cron(&#34;0 9 * * mon-fri&#34;, tz=&#34;Europe/Berlin&#34;)" in text


async def test_the_list_tells_when_each_fires_and_has_fired(pages: Pages, client: httpx2.AsyncClient) -> None:
    await pages.desk.register(timed("tidy"), timed("nightly", **NIGHTLY))
    assert "Last fired" in words(await read(client, "/schedules"))
    await advance(pages.desk, HOUR)
    html = await read(client, "/schedules")
    text = words(html)
    assert "Schedules 2" in text
    assert "30 2 * * * Europe/Berlin Fri 2026-01-02 02:30 +01:00 in " in text or "Thu 2026-01-01 02:30 +01:00" in text
    assert "@hourly UTC Thu 2026-01-01 02:00 +00:00 in 1 h 0 m" in text
    [lease] = await pages.desk.lease("shop/tidy")
    assert f'href="/runs/{lease.run}"' in html
    assert "skip" in text


async def test_the_list_is_filtered_and_has_pages(pages: Pages, client: httpx2.AsyncClient) -> None:
    await pages.desk.register(*[timed(f"f{number:03}", cron="15 4 * * *") for number in range(PAGE + 1)], app="many")
    first = await read(client, "/schedules?q=MANY/")
    assert first.count('<tr id="schedule-') == PAGE
    assert 'rel="next" href="/schedules?q=MANY%2F&amp;page=2"' in first
    second = await read(client, "/schedules?q=MANY/&page=2")
    assert second.count('<tr id="schedule-') == 1
    assert 'rel="prev" href="/schedules?q=MANY%2F"' in second
    assert (await read(client, "/schedules?q=hourly")).count('<tr id="schedule-') == 1
    none = await read(client, f"/schedules?q={HOSTILE}")
    assert HOSTILE not in none
    assert "No schedule matches" in words(none)


async def test_a_schedule_shows_its_next_times_and_its_rules(pages: Pages, client: httpx2.AsyncClient) -> None:
    await pages.desk.register(timed("nightly", **NIGHTLY, catch_up="all", window=2 * HOUR))
    pages.desk.clock.advance(ms("2026-03-27T12:00") - pages.desk.clock.now())
    await pages.desk.register(timed("nightly", **{**NIGHTLY, "cron": "31 2 * * *"}, catch_up="all", window=2 * HOUR))
    text = words(await read(client, await path_of(pages)))
    assert len(re.findall(r"2026-0[34]-\d\d 0[23]:\d\d \+0[12]:00 in ", text)) == 5
    assert "Sun 2026-03-29 03:00 +02:00 in 1 d 13 h clocks are put forward by 1 h at this moment" in text
    for said in (
        "skip A time at which the run before has not ended is left out.",
        "All times at which nothing could start a run are made up for, unless it is older than 2 h.",
        "up to 1 m later",
        "Last fired never",
    ):
        assert said in text, said


async def test_it_is_run_now_and_leads_to_the_run(pages: Pages, client: httpx2.AsyncClient) -> None:
    path = await path_of(pages)
    answer = await client.post(f"{path}/run")
    [lease] = await pages.desk.lease("shop/tidy")
    assert (answer.status_code, answer.headers["location"]) == (303, f"/runs/{lease.run}")


async def test_a_run_that_is_held_back_is_a_page_that_says_why(pages: Pages, client: httpx2.AsyncClient) -> None:
    await pages.desk.register({**timed("tidy"), "singleton": {}})
    path = await path_of(pages)
    assert (await client.post(f"{path}/run")).status_code == 303
    answer = await client.post(f"{path}/run")
    assert answer.status_code == 409
    assert "another run of its singleton key had not ended" in words(answer.text)
    assert "Wait until that one has ended, or cancel it" in words(answer.text)


async def test_it_is_paused_resumed_and_its_next_time_left_out(pages: Pages, client: httpx2.AsyncClient) -> None:
    path = await path_of(pages)
    for verb, said in (
        ("skip", "Left out: Thu 2026-01-01 01:00 +00:00"),
        ("pause", "Paused since"),
        ("resume", "Active"),
    ):
        answer = await client.post(f"{path}/{verb}")
        assert (answer.status_code, answer.headers["location"]) == (303, path)
        assert said in words(await read(client, path)), verb
    assert "Thu 2026-01-01 02:00 +00:00 in 2 h 0 m" in words(await read(client, path))
    assert "without Thu 2026-01-01 01:00 +00:00" in words(await read(client, "/schedules"))


async def test_a_paused_schedule_has_no_next_time(pages: Pages, client: httpx2.AsyncClient) -> None:
    path = await path_of(pages)
    await client.post(f"{path}/pause")
    assert "None while it is paused." in words(await read(client, path))
    html = await read(client, "/schedules")
    assert "none while it is paused" in words(html)
    assert f'action="{path}/resume"' in html
    assert f'action="{path}/skip"' not in html


async def test_a_range_is_backfilled_by_the_clocks_of_the_zone(pages: Pages, client: httpx2.AsyncClient) -> None:
    await pages.desk.register(timed("tidy", tz="Asia/Kolkata", cron="0 * * * *"))
    path = await path_of(pages)
    typed = {"from": "2025-12-31T00:00", "to": "2025-12-31T04:00"}
    answer = await client.post(f"{path}/backfill", data=typed)
    assert (answer.status_code, answer.headers["location"]) == (303, f"{path}?started=4&existing=0")
    assert "The backfill has started 4 runs. Show the runs" in words(await read(client, answer.headers["location"]))
    leases = await pages.desk.lease("shop/tidy")
    assert min(lease.event.ts for lease in leases) == ms("2025-12-30T18:30")
    answer = await client.post(f"{path}/backfill", data={**typed, "to": "2025-12-31T05:00"})
    text = words(await read(client, answer.headers["location"]))
    assert "The backfill has started 1 run; 4 times had theirs already" in text
    assert (await client.post(f"{path}/backfill", data={"from": "2025-12-31T00:00", "to": ""})).status_code == 303


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ({}, "the time &#39;&#39; in the field &#39;from&#39; cannot be read"),
        ({"from": HOSTILE}, "cannot be read"),
        ({"from": "1900-01-01T00:00"}, "is not between 1980 and 2100"),
        ({"from": "0001-01-01T00:00"}, "422"),
        ({"from": "2025-12-31T00:00", "to": "2025-12-30T00:00"}, "the range ends before it begins"),
        ({"from": "2025-01-01T00:00"}, "has more than 1,000 times in this range"),
    ],
)
async def test_a_range_that_cannot_be_is_refused(
    pages: Pages, client: httpx2.AsyncClient, typed: dict[str, str], said: str
) -> None:
    answer = await client.post(f"{await path_of(pages)}/backfill", data=typed)
    assert answer.status_code == 422
    assert said.lower() in words(answer.text).lower()
    assert HOSTILE not in answer.text
    assert await pages.desk.lease("shop/tidy") == []


async def test_a_schedule_that_is_not_there_is_a_page_that_says_so(client: httpx2.AsyncClient) -> None:
    path = "/schedules/shop/tidy/00000000"
    assert "There is no schedule" in words(await read(client, path, 404))
    for verb in ("run", "skip", "pause", "resume", "backfill"):
        assert (await client.post(f"{path}/{verb}", data={"from": "2025-12-31T00:00"})).status_code == 404, verb


async def test_an_outage_is_told_and_is_no_empty_list(
    client: httpx2.AsyncClient, pages: Pages, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: object, **__: object) -> None:
        raise StoreUnavailable("redis://shop", "connection refused")

    monkeypatch.setattr(type(pages.desk.installation.registry), "load", away)
    assert "Redis cannot be reached" in words(await read(client, "/schedules", 503))


async def test_who_may_only_read_is_offered_nothing_else() -> None:
    async with Pages.open(LOCKED) as pages, pages.client() as client:
        await pages.desk.register(timed("tidy"))
        path = await path_of(pages)
        client.headers.update(BROWSER)
        await sign_in(client, "see")
        html = (await client.get(path)).text
        assert f'action="{path}/' not in html
        for verb in ("run", "skip", "pause", "resume", "backfill"):
            assert (await client.post(f"{path}/{verb}", data={"token": token_of(html)})).status_code == 403, verb
        await sign_in(client, "do")
        html = (await client.get(path)).text
        assert f'action="{path}/backfill"' in html
        assert (await client.post(f"{path}/skip", data={"token": token_of(html)})).status_code == 303
