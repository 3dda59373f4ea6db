"""Every view in a browser, against `stepwell dev` with a busy store: no complaints, accessible, at every width."""

import asyncio
import signal
from collections.abc import AsyncGenerator, Generator

import pytest
from axe_playwright_python.async_playwright import Axe  # type: ignore[import-untyped]
from playwright.async_api import Browser, expect

from stepwell.client import Event
from tests.dashboard_tour import STORE, WIDER, Tour, closed, live, opened, paths_of, same
from tests.test_cli_dev import Dev
from tests.test_dashboard_browser import browser as browser
from tests.test_dashboard_browser import chromium as chromium

pytestmark = pytest.mark.slow

WIDTHS = (360, 768, 1280, 2560)


@pytest.fixture(scope="module")
def dev(tmp_path_factory: pytest.TempPathFactory) -> Generator[Dev]:
    dev = opened(tmp_path_factory.mktemp("t"))
    yield dev
    closed(dev)


@pytest.fixture
async def tour(dev: Dev, browser: Browser) -> AsyncGenerator[Tour]:
    tour = Tour(dev, browser)
    yield tour
    assert tour.complaints == [], "consoles are quiet, and nobody else is asked"


# What axe calls serious or critical, and all of WCAG 2.2 A and AA that it can check.
RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
AXE = "(rules) => axe.run(document, rules).then((found) => found.violations)"


async def test_every_view_is_accessible_in_both_schemes(tour: Tour) -> None:
    script, found = str(Axe().axe_script), dict[str, list[str]]()
    for name, path in (await paths_of(tour)).items():
        for scheme in ("light", "dark"):
            async with tour.window(path, "dark" if scheme == "dark" else "light") as page:
                await page.evaluate(script)
                violations = await page.evaluate(AXE, RULES)
                told = [f"{one['id']}: {one['nodes'][0]['html'][:160]}" for one in violations]
                if told:
                    found[f"{name} {scheme}"] = told
    assert found == {}


async def test_every_view_fits_from_a_phone_to_a_wall(tour: Tour) -> None:
    found = list[str]()
    for name, path in (await paths_of(tour)).items():
        async with tour.window(path) as page:
            for width in WIDTHS:
                await page.set_viewport_size({"width": width, "height": 800})
                wider = await page.evaluate(
                    "document.documentElement.scrollWidth - document.documentElement.clientWidth"
                )
                if wider > 0:
                    found.append(f"{name} is {wider} px too wide at {width}")
            assert await page.locator("h1").count() == 1, name
            titled = await page.title()
            assert titled.endswith("· Stepwell"), name
    assert found == []


async def test_the_header_leads_to_every_view_and_says_where_one_is(tour: Tour) -> None:
    async with tour.window("/") as page:
        for label in ("Runs", "Events", "Functions", "Schedules", "Queues", "Workers", "System", "Home"):
            await page.get_by_role("navigation", name="Views").get_by_role("link", name=label, exact=True).click()
            current = page.locator(".views [aria-current=page]")
            await expect(current).to_have_text(label)


async def test_a_choice_of_light_or_dark_stays(tour: Tour) -> None:
    context = await tour.browser.new_context(color_scheme="light")
    ground = "getComputedStyle(document.documentElement).backgroundColor"
    async with tour.window("/runs", context=context) as page:
        light = await page.evaluate(ground)
        await page.get_by_label("This dashboard").click()
        await page.get_by_role("button", name="Dark").click()
        await expect(page.locator("html")).to_have_attribute("data-theme", "dark")
        assert page.url == f"{tour.url}/runs"
        dark = await page.evaluate(ground)
        assert dark != light
    async with tour.window("/events", context=context) as page:
        assert await page.evaluate(ground) == dark
    await context.close()


# The keyboard.


async def test_a_run_is_found_and_done_again_without_a_mouse(tour: Tour) -> None:
    run = await tour.run(status="completed", function="store/fulfil")
    async with tour.window("/") as page:
        await page.keyboard.press("Control+k")
        await expect(page.get_by_role("combobox", name="Find")).to_be_focused()
        await page.keyboard.type(run.id.lower())
        await expect(page.get_by_role("option", name=run.id)).to_have_attribute("aria-selected", "true")
        await page.keyboard.press("Enter")
        await page.wait_for_url(f"**/runs/{run.id}")
        await page.keyboard.press("r")
        await expect(page.locator(".act[open]")).to_contain_text("Creates a new run")
        await page.keyboard.press("Escape")
        await expect(page.locator(".act[open]")).to_have_count(0)
        await page.keyboard.press("r")
        await page.get_by_role("button", name="Rerun", exact=True).focus()
        await page.keyboard.press("Enter")
        await expect(page.get_by_text("Rerun of")).to_be_visible()


async def test_letters_lead_through_views_and_lists(tour: Tour) -> None:
    async with tour.window("/") as page:
        await page.keyboard.press("g")
        await page.keyboard.press("r")
        await page.wait_for_url("**/runs")
        await page.keyboard.press("j")
        await page.keyboard.press("j")
        # By what has the focus, not by its place: new runs come in above it.
        row = page.locator("tbody tr", has=page.locator(".row-link:focus"))
        await expect(row).to_have_count(1)
        second = await row.get_attribute("id")
        await page.keyboard.press("x")
        await expect(page.locator(f"#{second}").get_by_role("checkbox")).to_be_checked()
        await page.keyboard.press("k")
        await expect(row).not_to_have_attribute("id", second or "")
        await page.keyboard.press("Enter")
        await page.wait_for_url("**/runs/*")
        await page.keyboard.press("2")
        await page.wait_for_url("**tab=logs")
        await page.keyboard.press("?")
        await expect(page.get_by_role("dialog", name="Keyboard shortcuts")).to_contain_text("Rerun this run")
        await page.keyboard.press("Escape")
        await expect(page.get_by_role("dialog")).to_have_count(0)


async def test_letters_are_text_where_text_is_typed(tour: Tour) -> None:
    async with tour.window("/runs") as page:
        await page.keyboard.press("/")
        field = page.get_by_label("Expression")
        await expect(field).to_be_focused()
        await page.keyboard.type("run.status == 'gr?'")
        await expect(field).to_have_value("run.status == 'gr?'")
        assert page.url == f"{tour.url}/runs"


async def test_the_palette_does_what_the_page_can_do(tour: Tour) -> None:
    run = await tour.order()
    async with tour.window(f"/runs/{run.id}") as page:
        await page.keyboard.press("Control+k")
        await page.keyboard.type("cancel")
        await page.get_by_role("option", name="Cancel this run").click()
        await page.get_by_role("button", name="Cancel run").click()
        await expect(page.locator(".run-title")).to_contain_text("Cancelled")


async def test_the_palette_finds_functions_by_a_part_of_their_names(tour: Tour) -> None:
    async with tour.window("/runs") as page:
        await live(page)  # before its scripts are there, the link leads to a page of its own
        await page.get_by_role("link", name="Find").click()
        await page.keyboard.type("catal")
        await expect(page.get_by_role("option", name="store/import_catalog")).to_be_visible()
        await page.keyboard.press("Enter")
        await page.wait_for_url("**/functions/store/import_catalog")


# Live.


async def test_two_tabs_follow_the_same_run(tour: Tour) -> None:
    context = await tour.browser.new_context()
    run = await tour.order()
    await tour.until(run.id, "waiting")
    async with tour.window("/runs", context=context) as runs, tour.window(f"/runs/{run.id}", context=context) as one:
        await live(runs)
        await live(one)
        async with tour.client() as client:
            await client.runs.cancel(run.id)
        await expect(one.locator(".run-title")).to_contain_text("Cancelled")
        await expect(runs.locator(f"#run-{run.id}")).to_contain_text("Cancelled")
        assert await same(runs)
        assert await same(one)
    await context.close()


async def test_pages_recover_from_a_restart_of_the_server(tour: Tour) -> None:
    dev = tour.dev
    async with tour.window("/runs") as page:
        await live(page)
        dev.signal(signal.SIGINT)
        await expect(page.locator("#live")).to_have_text("Reconnecting…", timeout=30_000)
        await asyncio.to_thread(dev.ended)
        await expect(page.locator("tbody tr").first).to_be_visible()
        # The browser says of itself that nobody answers.
        tour.complaints.clear()
        await asyncio.to_thread(lambda: dev.start(str(STORE)).says("functions from"))
        await expect(page.locator("#live")).to_have_text("Live", timeout=30_000)
        tour.complaints.clear()
        run = await tour.send("order.shipped", id="o-1")
        await expect(page.locator(f"#run-{run.id}")).to_be_visible(timeout=10_000)
        assert await same(page)


async def test_what_hostile_senders_send_is_text(tour: Tour) -> None:
    name = "<script>alert(1)</script>"
    async with tour.client() as client:
        [event] = await client.send([Event(name, {"\u202ebidi": "<img src=x onerror=alert(1)>", "k": "x" * 5_000})])
    for path in ("/events", f"/events/{event}", f"/events/send?from={event}", f"/find?q={name}"):
        async with tour.window(path, width=360) as page:
            await expect(page.locator("main")).to_contain_text(name) if "send" not in path else None
            wider = await page.evaluate(WIDER)
            assert wider <= 0, path
