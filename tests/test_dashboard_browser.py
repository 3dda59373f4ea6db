"""The pages in a browser: they follow what happens, and leave alone what their reader does."""

import os
import shutil
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Literal

import pytest
from playwright.async_api import Browser, Page, expect

from stepwell.dashboard.wording import durations
from tests.api_desk import function
from tests.browsers import browsing, closed, matters
from tests.test_dashboard_pages import HOSTILE, Pages
from tests.test_dashboard_queues import leave_behind, limited

pytestmark = pytest.mark.slow

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
WIDTHS = (390, 1440)
LEAST_CONTRAST = 4.5
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")

# Of every text that is seen: its contrast to what is behind it, as WCAG 2.2 defines it.
CONTRASTS = """
() => {
  const canvas = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  const parts = (colour) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const over = (top, below) => top.slice(0, 3).map((part, i) => (part * top[3] + below[i] * (255 - top[3])) / 255);
  const ground = (element) => {
    if (!element) return [255, 255, 255];
    const own = parts(getComputedStyle(element).backgroundColor);
    return own[3] === 255 ? own : over(own, ground(element.parentElement));
  };
  const light = (colour) => {
    const linear = (c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
    const [r, g, b] = colour.map((part) => linear(part / 255));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const found = {};
  for (const element of document.body.querySelectorAll("*")) {
    const text = [...element.childNodes].filter((node) => node.nodeType === 3).map((node) => node.data.trim()).join("");
    if (!text || !element.checkVisibility({ visibilityProperty: true })) continue;
    const style = getComputedStyle(element), below = ground(element);
    const colour = over(parts(element instanceof SVGElement ? style.fill : style.color), below);
    const [dark, bright] = [light(colour), light(below)].sort((a, b) => a - b);
    const name = `${element.tagName}.${element.getAttribute("class") ?? ""} ${text.slice(0, 30)}`;
    found[name] = (bright + 0.05) / (dark + 0.05);
  }
  return found;
}
"""

# What has the focus, and how wide the line around it is: its own, or that of the box it spreads over its row.
FOCUSED = """
() => {
  const element = document.activeElement;
  const width = Math.max(...["", "::after"].map((part) => {
    const style = getComputedStyle(element, part || null);
    return style.outlineStyle === "none" ? 0 : parseFloat(style.outlineWidth);
  }));
  return [element.getAttribute("aria-label") ?? element.textContent.trim(), width];
}
"""


@pytest.fixture(scope="module")
def chromium() -> str:
    """The browser of the machine. Without one the test is skipped, or fails where programs are required."""
    found = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if found is None and os.environ.get("STEPWELL_REQUIRE_SERVERS") == "1":
        pytest.fail("there is no Chromium here, and STEPWELL_REQUIRE_SERVERS=1 requires one")
    return found or pytest.skip("there is no Chromium here")


@dataclass
class Desktop:
    """A server with pages, and a browser to look at them. `complaints`: what the console of the browser said."""

    pages: Pages
    browser: Browser
    url: str
    complaints: list[str]

    def hear(self, said: str) -> None:
        """Notes what a console says."""
        if matters(said):
            self.complaints.append(said)

    @asynccontextmanager
    async def window(self, path: str) -> AsyncGenerator[Page]:
        """A window on a page."""
        page = await self.browser.new_page()
        page.on("console", lambda message: self.hear(message.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        await page.goto(self.url + path)
        yield page
        await closed(page)


@pytest.fixture(scope="module")
async def browser(chromium: str) -> AsyncGenerator[Browser]:
    async with browsing(chromium) as browser:
        yield browser


@pytest.fixture
async def desktop(browser: Browser) -> AsyncGenerator[Desktop]:
    async with Pages.open() as pages, pages.serving() as server:
        yield Desktop(pages, browser, server.url, [])


async def live(page: Page) -> None:
    """Returns when the page follows what happens, and has been read anew once."""
    await expect(page.locator("#live")).to_have_text("Live")
    await page.evaluate("window.before = document.getElementById('page')")


async def same(page: Page) -> bool:
    """Whether the page was not loaded again since it is live."""
    kept: bool = await page.evaluate("window.before === document.getElementById('page')")
    return kept


async def test_no_page_complains_or_is_too_wide_and_all_text_has_contrast(desktop: Desktop) -> None:
    pages = desktop.pages
    paths = ["/runs"]
    async with desktop.window("/runs") as page:
        await expect(page.get_by_text("No run yet")).to_be_visible()
    paths += [f"/runs/{run}" for run in (await pages.failed(), await pages.sleeping())]
    await pages.completed(HOSTILE)
    event = await pages.desk.send("w" * 500, {"text": "x" * 3_000}, id="i" * 500)
    paths += ["/events", "/events/names", "/events/send", f"/events/{event}", f"/events/send?from={event}"]
    await pages.desk.register(
        *[function(name, event) for name, event in (("charge", "order.placed"), ("nap", "nap"), ("hostile", HOSTILE))],
        function("x" * 64, "e" * 500, triggers=[{"event": "e" * 500}, {"cron": "@hourly", "tz": "Europe/Berlin"}]),
    )
    [schedule] = await pages.desk.installation.schedules.all()
    paths += ["/functions", "/functions/shop/charge", f"/functions/shop/{'x' * 64}", "/functions/shop/charge/invoke"]
    paths += ["/schedules", f"/schedules/{schedule.schedule.id}"]
    for path in [*paths, "/runs?function=none", "/", "/queues", "/workers", "/system"]:
        async with desktop.window(path) as page:
            for width in WIDTHS:
                await page.set_viewport_size({"width": width, "height": 800})
                wider = await page.evaluate("document.documentElement.scrollWidth - document.body.clientWidth")
                assert wider <= 0, f"{path} at {width} px"
            for scheme in SCHEMES:
                await page.emulate_media(color_scheme=scheme)
                contrasts: dict[str, float] = await page.evaluate(CONTRASTS)
                assert len(contrasts) > 5
                low = {text: ratio for text, ratio in contrasts.items() if ratio < LEAST_CONTRAST}
                assert not low, f"{path} in {scheme}"
    assert desktop.complaints == []


async def test_a_new_run_shows_up_in_the_list_by_itself(desktop: Desktop) -> None:
    await desktop.pages.failed()
    async with desktop.window("/runs") as page:
        await live(page)
        field = page.get_by_label("Function")
        await field.fill("shop/unfini")
        run = await desktop.pages.completed(HOSTILE)
        row = page.locator(f"#run-{run}")
        await expect(row).to_contain_text("Completed")
        await expect(row).to_contain_text(HOSTILE)
        await expect(field).to_have_value("shop/unfini")
        await expect(field).to_be_focused()
        assert await same(page)
    assert desktop.complaints == []


async def test_a_run_is_followed_to_its_end_while_its_reader_reads(desktop: Desktop) -> None:
    pages = desktop.pages
    run = await pages.sleeping()
    async with desktop.window(f"/runs/{run}") as page:
        await live(page)
        await page.locator("summary", has_text="greet").click()
        output = page.locator("#step-1 pre")
        await expect(output).to_have_text('"hello"')
        pages.desk.clock.advance(3_600_000)
        await pages.desk.tick()
        await expect(page.get_by_text("No worker serves this function")).to_be_visible()
        [lease] = await pages.desk.lease("shop/nap")
        await pages.desk.owner().checkpoint(
            run, lease.token, 1, "wake", "run", ok=True, attempts=1, took=2, payload=b"1"
        )
        await expect(page.locator("summary", has_text="wake")).to_be_visible()
        await pages.desk.owner().finish(run, lease.token, 2, "completed", b'{"rested":true}')
        await expect(page.locator(".run-title")).to_contain_text("Completed")
        await expect(page.get_by_text('"rested"')).to_be_visible()
        await expect(output).to_be_visible()
        await expect(page.locator("#live")).to_have_text("")
        assert await same(page)
    assert desktop.complaints == []


# Whether the first, the last whole and the last group of steps are left out of the layout, and how tall the page is, by
# what is said of the groups, and when all of them are laid out.
HEIGHTS = """
() => {
  const tall = () => document.documentElement.scrollHeight;
  const groups = [...document.querySelectorAll(".step-group")];
  const skipped = (group) => !group.querySelector(".line").checkVisibility({ contentVisibilityAuto: true });
  const found = [...[groups[0], ...groups.slice(-2)].map(skipped), tall()];
  for (const group of groups) group.classList.remove("whole");
  return [...found, tall()];
}
"""


@pytest.mark.parametrize("width", WIDTHS)
async def test_steps_far_away_are_not_laid_out_and_take_the_room_that_they_take_then(
    desktop: Desktop, width: int
) -> None:
    run = await desktop.pages.stepping(305)
    async with desktop.window(f"/runs/{run}") as page:
        await page.set_viewport_size({"width": width, "height": 800})
        await expect(page.locator("#steps-301")).to_have_class("step-group")
        near, far, rest, said, is_so = await page.evaluate(HEIGHTS)
        assert (near, far, rest, said) == (False, True, False, is_so)
    assert desktop.complaints == []


async def test_the_keyboard_reaches_everything_and_shows_where_it_is(desktop: Desktop) -> None:
    run = await desktop.pages.sleeping()
    for path, last in (("/runs", "Copy"), (f"/runs/{run}", "Input")):
        async with desktop.window(path) as page:
            reached: list[str] = []
            while last not in reached and len(reached) < 60:
                await page.keyboard.press("Tab")
                name, width = await page.evaluate(FOCUSED)
                assert width >= 2, f"{name or 'nothing'} on {path}"
                reached.append(name)
            assert reached[0] == "Skip to content"
            assert last in reached, path


async def test_browser_and_server_say_times_alike(desktop: Desktop) -> None:
    times = [0, 1, 999, 1_000, 59_999, 60_000, 3_599_999, 3_600_000, 86_399_999, 86_400_000, 10**10]
    said = """async (times) => {
      const { ago, elapsed, until } = await import("/static/js/durations.js");
      return times.map((ms) => [ago(ms), elapsed(ms), until(ms)]);
    }"""
    async with desktop.window("/runs") as page:
        found: list[list[str]] = await page.evaluate(said, times)
    assert found == [[durations.ago(ms), durations.elapsed(ms), durations.until(ms)] for ms in times]


async def test_cancelling_asks_nothing_of_javascript(desktop: Desktop) -> None:
    run = await desktop.pages.sleeping()
    context = await desktop.browser.new_context(java_script_enabled=False)
    page = await context.new_page()
    await page.goto(f"{desktop.url}/runs/{run}")
    await page.locator("summary", has_text="Cancel").click()
    await page.get_by_role("button", name="Cancel run").click()
    await expect(page.locator(".run-title")).to_contain_text("Cancelled")
    assert page.url == f"{desktop.url}/runs/{run}"
    await page.goto(f"{desktop.url}/runs")
    await page.get_by_label("Created").select_option("1h")
    await page.get_by_role("button", name="Filter").click()
    assert page.url == f"{desktop.url}/runs?within=1h"
    await context.close()


async def test_a_page_says_that_it_lost_the_server_and_finds_it_again(desktop: Desktop) -> None:
    async with desktop.window("/runs") as page:
        await live(page)
        await page.route("**/runs", lambda route: route.abort())
        await desktop.pages.desk.start("nap")
        sign = page.locator("#live")
        await expect(sign).to_have_text("Reconnecting…")
        await expect(page.get_by_text("No run yet")).to_be_visible()
        await page.unroute("**/runs")
        await expect(sign).to_have_text("Live")
        await expect(page.locator("tr[id]")).to_have_count(1)
        assert await same(page)


async def test_a_silent_page_is_not_called_live_when_it_cannot_be_read(desktop: Desktop) -> None:
    async with desktop.window("/runs") as page:
        await live(page)
        await page.route("**/runs", lambda route: route.fulfill(status=503, body=""))
        sign = page.locator("#live")
        await expect(sign).to_have_text("Reconnecting…", timeout=20_000)
        # The stream is there again before the page is: that alone makes nothing fresh.
        async with page.expect_request("**/api/v1/stream*"), page.expect_request("**/runs"):
            pass
        async with page.expect_response("**/runs"):
            pass
        assert await sign.text_content() == "Reconnecting…"
        await page.unroute("**/runs")
        await expect(sign).to_have_text("Live")


async def test_what_needs_attention_is_reached_by_the_keys_of_lists(desktop: Desktop) -> None:
    async with desktop.window("/") as page:
        first = page.locator(".trouble-link").first
        await expect(first).to_be_visible()
        await page.keyboard.press("j")
        await expect(first).to_be_focused()


async def test_an_event_shows_up_by_itself_though_it_starts_nothing(desktop: Desktop) -> None:
    await desktop.pages.desk.send("first")
    async with desktop.window("/events") as page:
        await live(page)
        await desktop.pages.desk.send("second")
        await expect(page.get_by_role("link", name="second", exact=True)).to_be_visible()
        assert await same(page)
        await page.keyboard.press("p")
        await expect(page.locator("#still")).to_have_text("Paused")
        await expect(page.locator("#live")).to_be_empty()
    assert desktop.complaints == []


async def test_the_commands_beside_the_form_follow_what_is_typed(desktop: Desktop) -> None:
    async with desktop.window("/events") as page:
        await page.keyboard.press("n")
        await page.wait_for_url("**/events/send")
        box = page.locator("#same")
        await expect(box).to_be_hidden()
        await page.keyboard.type("order.placed")
        await expect(box).to_contain_text("stepwell send order.placed '{}'")
        await page.locator("#data").fill('{ "who": "O\'Neill",\n "n": 12345678901234567890.50 ')
        await expect(box).to_be_hidden()
        await page.locator("#data").press_sequentially("}")
        shown = """'{"who":"O'"'"'Neill","n":12345678901234567890.50}'"""
        await expect(box).to_contain_text(f"stepwell send order.placed {shown}")
        await expect(box).to_contain_text("""-d '{"name":"order.placed","data":{"who":"O'"'"'Neill",""")
        await page.get_by_role("button", name="Send event").click()
        await expect(page.locator("h1")).to_have_text("order.placed")
        await expect(page.locator("#event-runs")).to_contain_text("shop/charge")
    assert desktop.complaints == []


async def test_a_function_is_invoked_and_paused_by_the_keyboard(desktop: Desktop) -> None:
    async with desktop.window("/functions/shop/charge") as page:
        await live(page)
        await page.keyboard.press("i")
        field = page.get_by_label("Data of its event")
        await expect(field).to_be_focused()
        await field.fill('{"id": ')
        await page.get_by_role("button", name="Invoke", exact=True).click()
        await expect(page.get_by_role("alert")).to_contain_text("the data of the event is no JSON")
        await expect(field).to_have_value('{"id": ')
        desktop.complaints.clear()  # That the answer was 422 is said there.
        await field.fill('{"id": "A"}')
        await page.get_by_role("button", name="Invoke", exact=True).click()
        await expect(page.locator(".run-title")).to_contain_text("shop/charge")
        await page.goto(f"{desktop.url}/functions/shop/charge")
        await live(page)
        await page.keyboard.press("p")
        await page.get_by_label("hold").check()
        await page.get_by_role("button", name="Pause", exact=True).click()
        await expect(page.get_by_text("Paused with hold")).to_be_visible()
        await live(page)
        await page.keyboard.press("p")
        await expect(page.get_by_text("Paused with hold")).to_have_count(0)
    assert desktop.complaints == []


MORPHED = """async () => {
  const { morph } = await import("/static/js/morph.js");
  const made = (html) => Object.assign(document.createElement("div"), { innerHTML: html });
  const old = made('<form action="/wake"><input type="hidden" name="step" value="nap"><input name="text" value="a">' +
    '<button name="do" value="wake">Wake</button></form>');
  old.querySelector("[name=text]").value = "typed";
  morph(old, made('<form action="/retry"><input type="hidden" name="step" value="pay"><input name="text" value="b">' +
    '<button name="do" value="retry">Retry</button></form>'));
  return [...old.querySelectorAll("input, button")].map((field) => field.value);
}"""


async def test_what_a_form_is_about_changes_with_the_page_and_what_was_typed_stays(desktop: Desktop) -> None:
    async with desktop.window("/runs") as page:
        assert await page.evaluate(MORPHED) == ["pay", "typed", "retry"]


async def test_a_slot_that_nobody_uses_is_released(desktop: Desktop) -> None:
    await limited(desktop.pages)
    run = await leave_behind(desktop.pages)
    async with desktop.window("/queues") as page:
        await page.locator(".holder", has_text="nobody executes it").locator("summary").click()
        await page.get_by_role("button", name="Release the slot").click()
        await expect(page.get_by_text("nobody executes it")).to_have_count(0)
    assert [lease.run for lease in await desktop.pages.desk.lease("shop/limited")] == [run]
    assert desktop.complaints == []
