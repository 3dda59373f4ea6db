"""Every action in a browser, against `stepwell dev`: what a person presses is what happens."""

import json
from collections.abc import AsyncGenerator, Generator
from typing import Any

import pytest
from playwright.async_api import Browser, Page, expect

from stepwell.client import Event
from tests.dashboard_tour import Tour, closed, live, opened, same
from tests.test_cli_dev import Dev
from tests.test_dashboard_browser import browser as browser
from tests.test_dashboard_browser import chromium as chromium

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def dev(tmp_path_factory: pytest.TempPathFactory) -> Generator[Dev]:
    dev = opened(tmp_path_factory.mktemp("a"))
    yield dev
    closed(dev)


@pytest.fixture
async def tour(dev: Dev, browser: Browser) -> AsyncGenerator[Tour]:
    tour = Tour(dev, browser)
    yield tour
    assert tour.complaints == []


async def chosen(page: Page, label: str) -> None:
    """Opens the box behind a button."""
    await page.locator("main summary", has_text=label).first.click()


async def test_a_run_is_cancelled(tour: Tour) -> None:
    run = await tour.order()
    async with tour.window(f"/runs/{run.id}") as page:
        await chosen(page, "Cancel")
        await page.get_by_role("button", name="Cancel run").click()
        await expect(page.locator(".run-title")).to_contain_text("Cancelled")
    assert (await tour.until(run.id, "cancelled")).status == "cancelled"


async def test_a_run_is_done_again_with_another_input(tour: Tour) -> None:
    run = await tour.order(card="tok_declined_7")
    await tour.until(run.id, "failed")
    async with tour.window(f"/runs/{run.id}") as page:
        await expect(page.get_by_text("insufficient funds").first).to_be_visible()
        await chosen(page, "Rerun")
        await page.get_by_role("link", name="Change the input").click()
        field = page.get_by_label("Input")
        await field.fill("{oops")
        await page.get_by_role("button", name="Rerun").click()
        await expect(page.get_by_role("alert")).to_contain_text("line 1 column 2")
        await expect(field).to_have_value("{oops")
        order: dict[str, Any] = {
            "id": "o-9",
            "customer": "ana",
            "country": "PT",
            "total": 20,
            "items": [],
            "card": "tok_visa_1",
        }
        await field.fill(json.dumps(order))
        await page.get_by_role("button", name="Rerun").click()
        await expect(page.get_by_text("Rerun of")).to_be_visible()
        await expect(page.locator(".run-title")).to_contain_text("Completed", timeout=20_000)
        await expect(page.locator("#run-ends")).to_contain_text("DPD")


async def test_a_run_is_done_again_from_a_step(tour: Tour) -> None:
    run = await tour.order(total=20)
    await tour.until(run.id, "completed")
    async with tour.window(f"/runs/{run.id}") as page:
        await page.locator("summary", has_text="label").click()
        await page.locator("details[open]").get_by_role("link", name="Rerun from here…").click()
        await expect(page.get_by_label("From step")).to_have_value("label")
        await page.get_by_label("Output of that step").fill('{"carrier": "by hand"}')
        await page.get_by_role("button", name="Rerun").click()
        await expect(page.locator(".run-title")).to_contain_text("Completed", timeout=20_000)
        await expect(page.locator("#run-ends")).to_contain_text("by hand")


async def test_a_failed_step_is_tried_again_now(tour: Tour) -> None:
    # Its carrier is asked again after 10 s and more, so that nothing else happens meanwhile.
    run = await tour.order(country="IS", total=20)
    async with tour.window(f"/runs/{run.id}") as page:
        await live(page)
        await expect(page.locator("#run-waiting")).to_contain_text("1 failed attempt of label", timeout=20_000)
        await page.get_by_role("button", name="Retry now").first.click()
        await expect(page.locator("#run-waiting")).to_contain_text("2 failed attempts of label", timeout=8_000)


async def test_a_sleep_is_woken(tour: Tour) -> None:
    run = await tour.send("cart.abandoned", customer="someone")
    await tour.until(run.id, "waiting")
    async with tour.window(f"/runs/{run.id}") as page:
        await page.get_by_role("button", name="Wake now").first.click()
        await expect(page.locator(".run-title")).to_contain_text("Completed", timeout=10_000)


async def test_a_wait_is_resolved_by_hand_or_by_sending_its_event(tour: Tour) -> None:
    for by_hand in (True, False):
        run = await tour.order(id=f"o-{by_hand}")
        async with tour.window(f"/runs/{run.id}") as page:
            await expect(page.locator("#run-waiting")).to_contain_text("order.approved", timeout=20_000)
            if by_hand:
                await page.get_by_role("link", name="Resolve…").first.click()
                await page.get_by_role("button", name="Resolve").click()
            else:
                await page.get_by_role("link", name="Send order.approved").click()
                await page.get_by_label("Data").first.fill(json.dumps({"id": "o-False"}))
                await page.get_by_role("button", name="Send event").click()
                await page.goto(f"{tour.url}/runs/{run.id}")
            await expect(page.locator(".run-title")).to_contain_text("Completed", timeout=20_000)


async def test_an_event_is_sent_and_its_mistakes_told(tour: Tour) -> None:
    async with tour.window("/events") as page:
        await page.get_by_role("link", name="Send event").click()
        await page.get_by_label("Name").first.fill("order.shipped")
        await page.get_by_label("Data").first.fill("{")
        await page.get_by_role("button", name="Send event").click()
        await expect(page.get_by_label("Name").first).to_have_value("order.shipped")
        await page.get_by_label("Data").first.fill('{"id": "o-7"}')
        await page.get_by_role("button", name="Send event").click()
        await expect(page.get_by_role("heading", level=1)).to_have_text("order.shipped")
        await expect(page.locator("main")).to_contain_text("store/notify")


async def test_a_function_is_paused_and_goes_on(tour: Tour) -> None:
    async with tour.window("/functions/store/notify") as page:
        await live(page)
        await chosen(page, "Pause")
        await page.get_by_role("button", name="Pause").click()
        await expect(page.locator("main")).to_contain_text("Paused")
        run = await tour.send("order.shipped", id="o-8")
        async with tour.window(f"/runs/{run.id}") as held:
            await expect(held.locator("#run-waiting")).to_contain_text("Its function is paused", timeout=10_000)
            await page.get_by_role("button", name="Resume").first.click()
            await expect(held.locator("main")).not_to_contain_text("Its function is paused", timeout=10_000)


async def test_a_function_is_invoked(tour: Tour) -> None:
    async with tour.window("/functions/store/reindex") as page:
        await chosen(page, "Invoke")
        await page.locator(".act[open] textarea").fill('{"sku": "SKU-1", "public": true}')
        await page.locator(".act[open]").get_by_role("button", name="Invoke").click()
        await page.wait_for_url("**/runs/*")
        await expect(page.get_by_role("heading", level=1)).to_have_text("store/reindex")


async def test_a_schedule_runs_now(tour: Tour) -> None:
    async with tour.window("/schedules") as page:
        row = page.locator("tr", has_text="daily_report")
        await row.get_by_role("button", name="Run now").click()
        await page.wait_for_url("**/runs/*")
        await expect(page.locator(".run-title")).to_contain_text("Completed", timeout=20_000)


async def test_a_schedule_is_skipped_once_paused_and_goes_on(tour: Tour) -> None:
    async with tour.window("/schedules") as page:
        await page.locator("tr", has_text="sync_stock").locator(".row-link").click()
        ahead = page.locator("#schedule-next")
        await page.get_by_role("button", name="Skip next").click()
        await expect(ahead).to_contain_text("Left out:")
        await page.get_by_role("button", name="Pause").click()
        await expect(page.locator("#schedule-paused")).to_contain_text("No time fires")
        await expect(ahead).to_contain_text("None while it is paused")
        await page.get_by_role("button", name="Resume").click()
        await expect(page.locator("#schedule-paused")).to_have_count(0)
        await expect(ahead).not_to_contain_text("None while it is paused")


async def test_times_of_a_schedule_are_made_up_for(tour: Tour) -> None:
    async with tour.window("/schedules") as page:
        await page.locator("tr", has_text="daily_report").locator(".row-link").click()
        await chosen(page, "Backfill")
        await page.get_by_label("From, by the clocks").fill("2026-03-01T00:00")
        await page.get_by_label("Until").fill("2026-02-01T00:00")
        await page.get_by_role("button", name="Start the runs").click()
        await expect(page.get_by_text("the range ends before it begins")).to_be_visible()
        await page.go_back()
        await chosen(page, "Backfill")
        await page.get_by_label("From, by the clocks").fill("2026-03-01T00:00")
        await page.get_by_label("Until").fill("2026-03-04T00:00")
        await page.get_by_role("button", name="Start the runs").click()
        await expect(page.locator("#schedule-filled")).to_contain_text("started 3 runs")
        await page.get_by_role("link", name="Show the runs").click()
        await expect(page.locator("main")).to_contain_text("store/daily_report")


async def test_marked_runs_are_done_again(tour: Tour) -> None:
    runs = [await tour.send("order.shipped", id=f"m-{number}") for number in range(2)]
    async with tour.window("/runs?function=store%2Fnotify") as page:
        for run in runs:
            await page.locator(f"#run-{run.id}").get_by_role("checkbox").check()
        await page.locator("#selected").get_by_role("button", name="Rerun").click()
        await page.wait_for_url("**/runs?function=store%2Fnotify")
    async with tour.client() as client:
        found = await client.runs.list(function="store/notify")
        assert {one.rerun_of for one in found} >= {run.id for run in runs}


async def test_a_bad_deploy_is_undone_in_a_few_clicks(tour: Tour) -> None:
    """Very many runs have failed; it is one error; they are done again, that is stopped halfway, and goes on."""
    for number in range(60):
        await tour.order(id=f"b-{number}", customer=f"c-{number}", total=9, card="tok_declined_1")
    async with tour.window("/runs?event=order.placed") as page:
        await page.get_by_role("navigation", name="Status").get_by_role("link", name="Failed").click()
        await page.get_by_role("link", name="Rerun…").click()
        await expect(page.locator("main")).to_contain_text("with one error")
        await expect(page.locator("main")).to_contain_text("CardDeclined")
        await page.get_by_label("Runs per second").fill("10")
        await page.get_by_role("button", name="Rerun").click()
        await expect(page.locator(".head-line")).to_contain_text("Going on")
        await page.evaluate("window.before = document.getElementById('page')")
        await expect(page.locator("#job-figures .figure").first).not_to_contain_text("Done0", timeout=10_000)
        assert await same(page)
        await page.get_by_role("button", name="Stop").click()
        await expect(page.locator(".head-line")).to_contain_text("Stopped", timeout=10_000)
        done = await page.locator("#job-figures .figure dd").first.inner_text()
        assert 0 < int(done) < 60
        await page.get_by_role("button", name="Go on").click()
        await expect(page.locator(".head-line")).to_contain_text("Done", timeout=30_000)


async def test_from_home_to_why_an_order_is_stuck_takes_three_clicks(tour: Tour) -> None:
    waiting = await tour.order(id="o-stuck")
    await tour.until(waiting.id, "waiting")
    for figure, run in (("Waiting", waiting), ("Queued", None)):
        if run is None:
            async with tour.client() as client:
                await client.send([Event("catalog.uploaded", {"products": 2_000})])
            run = await tour.send("catalog.uploaded", products=25)
        async with tour.window("/") as page:
            await page.locator(".figure", has_text=figure).get_by_role("link").click()
            await page.locator(f"#run-{run.id} .row-link").click()
            because = page.locator("#run-waiting")
            await expect(because).to_contain_text("order.approved" if run is waiting else "Every slot is taken")
            if run is not waiting:
                await because.locator(".tag").first.click()
                await expect(page.locator(".run-title")).to_contain_text("Running")


async def test_home_leads_to_what_is_paused(tour: Tour) -> None:
    async with tour.client() as client:
        await client.send([Event("cart.abandoned", {"customer": "a"})])
    async with tour.window("/functions/store/remind") as page:
        await chosen(page, "Pause")
        await page.get_by_role("button", name="Pause").click()
        await expect(page.locator("main")).to_contain_text("Paused")
        await tour.send("cart.abandoned", customer="b")
        await page.goto(tour.url)
        await page.locator(".trouble", has_text="store/remind").get_by_role("link").click()
        await expect(page.locator("main")).to_contain_text("Paused")
        await page.get_by_role("button", name="Resume").first.click()
        await expect(page.locator("#function-paused")).to_have_count(0)
