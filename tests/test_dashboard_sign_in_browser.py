"""Signing in with a browser: with the keyboard alone, without JavaScript, and under an open page."""

import asyncio
import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest
from playwright.async_api import Browser, Page, expect

from stepwell.platform.api.sessions import COOKIE, LENGTH
from tests.browsers import closed
from tests.test_dashboard_browser import (
    CONTRASTS,
    FOCUSED,
    LEAST_CONTRAST,
    SCHEMES,
    Desktop,
    browser,
    chromium,
    live,
)
from tests.test_dashboard_pages import Pages
from tests.test_dashboard_sign_in import LOCKED

pytestmark = pytest.mark.slow
__all__ = ["browser", "chromium"]  # fixtures

WIDTHS = (320, 360, 1440, 2560)
REFUSED = "Failed to load resource: the server responded with a status of 401 (Unauthorized)"


@pytest.fixture
async def locked(browser: Browser) -> AsyncGenerator[Desktop]:
    async with Pages.open(LOCKED) as pages, pages.serving() as server:
        yield Desktop(pages, browser, server.url, [])


@asynccontextmanager
async def window(desktop: Desktop, *, scripts: bool = True) -> AsyncGenerator[Page]:
    """A window of its own browser profile, and so with its own cookies."""
    context = await desktop.browser.new_context(java_script_enabled=scripts)
    page = await context.new_page()
    page.on("console", lambda message: desktop.hear(message.text))
    page.on("pageerror", lambda error: desktop.complaints.append(str(error)))
    yield page
    await closed(context)


async def enter(page: Page, key: str) -> None:
    await page.get_by_label("API key").fill(key)
    await page.get_by_role("button", name="Sign in").click()


async def test_one_signs_in_with_the_keyboard_and_comes_to_the_page_one_wanted(locked: Desktop) -> None:
    run = await locked.pages.sleeping()
    async with window(locked) as page:
        await page.goto(f"{locked.url}/runs/{run}?steps=all")
        field = page.get_by_label("API key")
        await expect(field).to_be_focused()
        await page.keyboard.type("wrong")
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("alert")).to_have_text("This server knows no such key.")
        await expect(field).to_be_focused()
        await expect(field).to_have_accessible_description(re.compile("This server knows no such key.*12 hours"))
        await page.keyboard.type("do")
        await page.keyboard.press("Tab")
        name, width = await page.evaluate(FOCUSED)
        assert (name, width >= 2) == ("Sign in", True)
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("heading", name="shop/nap")).to_be_visible()
        assert page.url == f"{locked.url}/runs/{run}?steps=all"
        [cookie] = await page.context.cookies()
        assert (cookie.get("name"), cookie.get("httpOnly"), cookie.get("sameSite")) == (COOKIE, True, "Strict")
        await live(page)
    assert locked.complaints == [REFUSED]


async def fits(page: Page) -> None:
    """Returns when nothing is wider than the window: not at once, since the browser lays it out anew."""
    for _ in range(50):
        if await page.evaluate("document.documentElement.scrollWidth <= document.body.clientWidth"):
            return
        await asyncio.sleep(0.1)
    raise AssertionError("something is wider than the window")


async def test_the_page_fits_and_has_contrast(locked: Desktop) -> None:
    async with window(locked) as page:
        for key in ("wrong", "see"):
            await page.goto(f"{locked.url}/runs")
            await enter(page, key)
            await page.evaluate("document.getElementById('live').textContent = 'Reconnecting…'")
            for width in WIDTHS:
                await page.set_viewport_size({"width": width, "height": 800})
                await fits(page)
            for scheme in SCHEMES:
                await page.emulate_media(color_scheme=scheme)
                await (page.get_by_role("button", name="Sign in").or_(page.get_by_label("This dashboard"))).hover()
                contrasts: dict[str, float] = await page.evaluate(CONTRASTS)
                low = {text: ratio for text, ratio in contrasts.items() if ratio < LEAST_CONTRAST}
                assert not low, scheme


async def test_nothing_of_it_needs_javascript(locked: Desktop) -> None:
    run = await locked.pages.sleeping()
    async with window(locked, scripts=False) as page:
        await page.goto(f"{locked.url}/runs/{run}")
        await enter(page, "do")
        await page.locator("summary", has_text="Cancel").click()
        await page.get_by_role("button", name="Cancel run").click()
        await expect(page.locator(".run-title")).to_contain_text("Cancelled")
        await page.get_by_label("This dashboard").click()
        await page.get_by_role("button", name="Sign out").click()
        await expect(page.get_by_label("API key")).to_be_visible()
        await page.goto(f"{locked.url}/runs")
        await expect(page.get_by_label("API key")).to_be_visible()


async def test_a_page_whose_session_ends_leads_to_a_new_one_and_back(locked: Desktop) -> None:
    async with window(locked) as page:
        await page.goto(f"{locked.url}/runs?status=waiting")
        await enter(page, "do")
        await live(page)
        locked.pages.desk.clock.advance(LENGTH)
        await locked.pages.sleeping()
        await expect(page.get_by_label("API key")).to_be_visible()
        await enter(page, "do")
        await expect(page.locator("tr[id]")).to_have_count(1)
        assert page.url == f"{locked.url}/runs?status=waiting"


async def test_a_link_on_another_site_opens_the_page_for_who_is_signed_in(locked: Desktop) -> None:
    run = await locked.pages.sleeping()
    async with window(locked) as page:
        await page.goto(f"{locked.url}/runs")
        await enter(page, "do")
        await expect(page.get_by_label("This dashboard")).to_be_visible()
        mail = f'<a href="{locked.url}/runs/{run}">the run</a>'
        await page.route("http://mail.example/", lambda route: route.fulfill(content_type="text/html", body=mail))
        await page.goto("http://mail.example/")
        await page.get_by_text("the run").click()
        await expect(page.get_by_role("heading", name="shop/nap")).to_be_visible()
        assert page.url == f"{locked.url}/runs/{run}"
