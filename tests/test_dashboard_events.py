"""The pages of events: the list, one event, the form that sends one, and the names."""

import re
from collections.abc import AsyncGenerator
from typing import Any

import httpx2
import pytest
from pydantic import SecretStr

from stepwell.platform.errors import StoreUnavailable
from stepwell.platform.history import History
from stepwell.platform.reading import events, where
from stepwell.platform.settings import Settings
from tests.api_desk import function
from tests.test_dashboard_pages import ESCAPED, HOSTILE, NOBODY, Pages, read, words

KEYS = ("viewer:read:see", "oncall:operate:do", "blind:operate+no-payloads:blind")
LOCKED = Settings(event_keys=(SecretStr("e"),), api_keys=tuple(map(SecretStr, KEYS)))
OURS = {"Sec-Fetch-Site": "same-origin"}
ORDER = {"id": "A-1", "total": 250}
BIG = {
    "id": "big",
    "triggers": [
        {"event": "order.placed", "if": "event.data.total > 100"},
        {"event": "order.*", "if": "event.data.vip == true"},
    ],
    "retries": {"times": 1},
}

ODD = {
    "id": "odd",
    "triggers": [{"event": "order.placed", "if": "event.data.total + 1 > 3"}],
    "retries": {"times": 1},
}


@pytest.fixture
async def pages() -> AsyncGenerator[Pages]:
    async with Pages.open() as pages:
        yield pages


@pytest.fixture
async def client(pages: Pages) -> AsyncGenerator[httpx2.AsyncClient]:
    async with pages.client() as client:
        client.headers.update(OURS)
        yield client


@pytest.fixture
async def locked() -> AsyncGenerator[tuple[Pages, httpx2.AsyncClient]]:
    """Pages that ask for a key, which a test signs in with."""
    async with Pages.open(LOCKED) as pages, pages.client() as client:
        client.headers.update({"Accept": "text/html", **OURS})
        yield pages, client


async def sign_in(client: httpx2.AsyncClient, key: str) -> None:
    assert (await client.post("/sign-in", data={"key": key})).status_code == 303


async def send(client: httpx2.AsyncClient, **fields: str) -> httpx2.Response:
    """What is answered to the form."""
    return await client.post("/events/send", data=fields)


def row_of(html: str, event: str) -> str:
    """What is read of an event in the list."""
    row = html.partition(f'<tr id="event-{event}">')[2].partition("</tr>")[0]
    return words(f"<main>{row}").removeprefix("> ")


def field_of(html: str, name: str) -> str:
    """What stands in a field, unescaped enough for JSON."""
    found = re.search(rf'<textarea[^>]* name="{name}"[^>]*>\n?(.*?)</textarea>', html, re.DOTALL) or re.search(
        rf'name="{name}" value="([^"]*)"', html
    )
    assert found
    return found[1].replace("&#34;", '"').replace("&lt;", "<").replace("&gt;", ">")


# The list


async def test_without_events_sending_one_is_taught(pages: Pages, client: httpx2.AsyncClient) -> None:
    await pages.desk.register(function("watch", "inngest/function.failed"), BIG)
    text = words(await read(client, "/events"))
    assert "No event yet" in text
    assert "stepwell send order.placed" in text
    assert "Send event" in text


async def test_the_list_says_what_each_event_has_started(pages: Pages, client: httpx2.AsyncClient) -> None:
    await pages.failed()
    placed = await pages.desk.send("order.placed", ORDER, id="order-A-1")
    heard_by_nobody = await pages.desk.send("cart.abandoned")
    html = await read(client, "/events")
    assert html.index(heard_by_nobody) < html.index(placed), "newest first"
    assert row_of(html, placed).startswith("order.placed Queued shop/charge order-A-1")
    assert "24 B" in row_of(html, placed)
    assert f'data-copy="{placed}"' in html
    assert "no function listens for it" in row_of(html, heard_by_nobody)
    assert "Failed shop/charge" in words(html)
    assert f'href="/runs/{await pages.desk.run_of(placed)}"' in html


async def test_the_list_says_why_an_event_has_started_no_run(pages: Pages, client: httpx2.AsyncClient) -> None:
    limited = function("mail", "order.placed", rate_limit={"limit": 1, "period": 60_000})
    await pages.desk.register(limited, BIG)
    first, second = [await pages.desk.send("order.placed", {"total": 5}) for _ in range(2)]
    html = await read(client, "/events")
    assert row_of(html, first).startswith("order.placed Queued shop/mail shop/big condition false")
    assert row_of(html, second).startswith("order.placed shop/mail rate limited shop/big condition false")


async def test_an_event_that_came_before_its_function_says_so(pages: Pages, client: httpx2.AsyncClient) -> None:
    event = await pages.desk.send("late")
    await pages.desk.register(function("latecomer", "late"))
    assert "no function listened for it when it came" in row_of(await read(client, "/events"), event)


async def test_of_many_runs_the_first_are_shown(pages: Pages, client: httpx2.AsyncClient) -> None:
    await pages.desk.register(*[function(f"f{number}", "many") for number in range(5)])
    event = await pages.desk.send("many")
    assert "shop/f2 +2" in row_of(await read(client, "/events"), event)
    assert words(await read(client, f"/events/{event}")).count("Queued") == 5


async def test_runs_that_are_not_kept_any_more_are_told_of(pages: Pages, client: httpx2.AsyncClient) -> None:
    event = await pages.desk.send("nap")
    [partition] = pages.desk.installation.partitions
    await partition.read("DEL", partition.keys.name("k_run", await pages.desk.run_of(event)))
    assert "nap 1 run, no longer kept" in row_of(await read(client, "/events"), event)
    assert "1 run is not kept any more" in words(await read(client, f"/events/{event}"))


async def test_events_are_found_by_name_and_by_expression(pages: Pages, client: httpx2.AsyncClient) -> None:
    small, large = [await pages.desk.send("order.placed", {"total": total}) for total in (5, 500)]
    nap = await pages.desk.send("nap")
    html = await read(client, "/events?name=order.placed&q=event.data.total+%3E+100")
    assert (large in html, small in html, nap in html) == (True, False, False)
    assert 'name="q" value="event.data.total &gt; 100"' in html
    html = await read(client, "/events?name=nap")
    assert (large in html, nap in html) == (False, True)
    assert "No event matches" in words(await read(client, "/events?name=none"))


async def test_a_mistake_in_an_expression_is_told_beside_it_and_the_list_stays(
    pages: Pages, client: httpx2.AsyncClient
) -> None:
    event = await pages.desk.send("nap")
    html = await read(client, "/events?q=event.data.total+%3E+%26%26", 400)
    assert "Column 20: " in words(html)
    assert "without the expression" in words(html)
    assert event in html
    assert 'name="q" value="event.data.total &gt; &amp;&amp;"' in html
    assert 'data-stream=""' in html


async def test_a_search_says_how_far_it_came_and_goes_on(
    pages: Pages, client: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    oldest = await pages.desk.send("order.placed", {"total": 500})
    for _ in range(120):
        await pages.desk.send("nap")
    monkeypatch.setattr(events, "MOST_EXAMINED", 100)
    monkeypatch.setattr(where, "SECONDS", 60)
    path = "/events?q=event.data.total+%3E+100"
    html = await read(client, path)
    assert "Searched 100 of 121 events for this page" in words(html)
    assert "No event among those searched" in words(html)
    onward = re.search(r'rel="next" href="([^"]+)">Continue', html)
    assert onward
    html = await read(client, onward[1].replace("&amp;", "&"))
    assert oldest in html
    assert f'rel="first" href="{path}"'.replace(">", "%3E") in html


async def test_older_events_are_a_page_away(pages: Pages, client: httpx2.AsyncClient) -> None:
    sent = [await pages.desk.send("nap") for _ in range(52)]
    html = await read(client, "/events")
    assert html.count('<tr id="event-') == 50
    older = re.search(r'rel="next" href="([^"]+)">Older', html)
    assert older
    second = await read(client, older[1])
    assert [event for event in sent if f"event-{event}" in second] == sent[:2]
    assert "Open the list from its beginning" in words(await read(client, "/events?cursor=x", 400))


async def test_the_stream_can_be_paused(pages: Pages, client: httpx2.AsyncClient) -> None:
    await pages.desk.send("nap")
    html = await read(client, "/events?name=nap")
    assert 'data-stream="/api/v1/stream"' in html
    assert 'data-every="3000"' in html
    assert 'href="/events?name=nap&amp;live=off"' in html
    html = await read(client, "/events?name=nap&live=off")
    assert 'data-stream=""' in html
    assert 'data-every=""' in html
    assert "Paused" in words(html)
    assert 'href="/events?name=nap" data-key="p">Follow' in html
    assert '<input type="hidden" name="live" value="off">' in html, "filtering does not let it go on"


async def test_fields_left_empty_do_not_stay_in_the_address_of_events(client: httpx2.AsyncClient) -> None:
    response = await client.get("/events?name=nap&q=")
    assert (response.status_code, response.headers["location"]) == (307, "/events?name=nap")


async def test_events_of_hostile_senders_are_shown_as_text(pages: Pages, client: httpx2.AsyncClient) -> None:
    event = await pages.desk.send(HOSTILE, {HOSTILE: HOSTILE}, id=HOSTILE)
    paths = ("/events", f"/events/{event}", f"/events/send?from={event}", f"/events?name={HOSTILE}", "/events/names")
    for path in (*paths, f"/events/send?name={HOSTILE}&data={HOSTILE}"):
        html = (await client.get(path)).text
        assert HOSTILE not in html, path
        assert ESCAPED in html, path
        assert not re.search(r"<style|\sstyle=|\son[a-z]+=|<script(?![^>]*\ssrc=)", html), path


# An event


async def test_an_event_shows_its_facts_its_runs_and_its_data(pages: Pages, client: httpx2.AsyncClient) -> None:
    event = await pages.desk.send("order.placed", ORDER, id="order-A-1")
    run = await pages.desk.run_of(event)
    html = await read(client, f"/events/{event}")
    text = words(html)
    for said in (event, "Sender’s id order-A-1", "Runs 1", "Queued shop/charge", "24 B"):
        assert said in text, said
    assert f'href="/runs/{run}"' in html
    assert '<span class="key">&#34;total&#34;</span>: <span class="value">250</span>' in html
    assert 'data-stream="/api/v1/stream"' in html
    await pages.desk.finish_all("shop/charge")
    html = await read(client, f"/events/{event}")
    assert "Completed shop/charge" in words(html)
    assert 'data-stream=""' in html, "nothing is to come any more"


async def test_an_event_tells_which_conditions_were_not_true(pages: Pages, client: httpx2.AsyncClient) -> None:
    await pages.desk.register(BIG)
    text = words(await read(client, f"/events/{await pages.desk.send('order.placed', {'total': 5})}"))
    assert "None. Why is told below" in text
    assert "shop/big condition false event.data.total &gt; 100 is false" in text
    assert "event.data.vip == true is false" in text
    await pages.desk.register(ODD)
    text = words(await read(client, f"/events/{await pages.desk.send('order.placed', {'total': 'x'})}"))
    assert "event.data.total + 1 &gt; 3 cannot be evaluated: column 18: a string and an int have no" in text


async def test_an_event_tells_which_run_was_in_its_way(pages: Pages, client: httpx2.AsyncClient) -> None:
    once = function(
        "once",
        "user.joined",
        singleton={"key": "event.data.id"},
        rate_limit={"limit": 5, "period": 60_000, "key": "event.data.id + 1"},
    )
    await pages.desk.register(once)
    first = await pages.desk.start("user.joined", {"id": "u"})
    html = await read(client, f"/events/{await pages.desk.send('user.joined', {'id': 'u'})}")
    assert "shop/once one at a time Another run of its singleton key had not ended" in words(html)
    assert f'href="/runs/{first}"' in html
    assert "Counted without a value shop/once the key of rate_limit" in words(html)


async def test_an_event_that_became_part_of_a_run_says_so(pages: Pages, client: httpx2.AsyncClient) -> None:
    await pages.desk.register(function("sum", "sale", batch={"max_size": 2, "timeout": 60_000}))
    first, second = await pages.desk.send("sale"), await pages.desk.send("sale")
    assert "joined" not in words(await read(client, f"/events/{first}"))
    assert "shop/sum joined" in words(await read(client, f"/events/{second}"))


async def test_an_event_that_nobody_listens_for_teaches_how_to(pages: Pages, client: httpx2.AsyncClient) -> None:
    text = words(await read(client, f"/events/{await pages.desk.send('cart.abandoned')}"))
    assert "None: no function listens for it." in text
    assert "@app.function(on=&#39;cart.abandoned&#39;)" in text


async def test_an_event_of_the_future_says_when(pages: Pages, client: httpx2.AsyncClient) -> None:
    event = await pages.desk.send("nap", ts=pages.desk.clock.now() + 7_200_000)
    assert "Its time is to come What it starts begins in 2 h 0 m" in words(await read(client, f"/events/{event}"))


async def test_large_data_is_behind_a_link(pages: Pages, client: httpx2.AsyncClient) -> None:
    event = await pages.desk.send("nap", {"text": "x" * (70 << 10)})
    html = await read(client, f"/events/{event}")
    assert "x" * 1_000 not in html
    assert f'href="/events/{event}/data"' in html
    assert (await client.get(f"/events/{event}/data")).json() == {"text": "x" * (70 << 10)}


async def test_an_event_can_be_sent_again_from_a_terminal(pages: Pages, client: httpx2.AsyncClient) -> None:
    event = await pages.desk.send("order.placed", {"who": "O'Neill"})
    html = await read(client, f"/events/{event}")
    told = html.replace("&#39;", "'").replace("&#34;", '"')
    shown = """'{"who":"O'"'"'Neill"}'"""
    assert f"stepwell send order.placed {shown}" in told
    assert 'curl http://127.0.0.1:8288/e/"${STEPWELL_EVENT_KEY:-dev}" -d' in told


async def test_an_event_that_is_not_there_is_a_page_that_says_so(client: httpx2.AsyncClient) -> None:
    for path in (f"/events/{NOBODY}", f"/events/{NOBODY}/data", f"/events/send?from={NOBODY}", "/events/x"):
        assert "There is no event" in words(await read(client, path, 404)), path


async def test_a_run_leads_to_its_event(pages: Pages, client: httpx2.AsyncClient) -> None:
    event = await pages.desk.send("nap")
    assert f'href="/events/{event}"' in await read(client, f"/runs/{await pages.desk.run_of(event)}")


# Sending


async def test_the_form_sends_an_event_and_leads_to_it(pages: Pages, client: httpx2.AsyncClient) -> None:
    answer = await send(client, name="order.placed", data='{"total": 12.50}', id="mine", ts="")
    assert answer.status_code == 303
    event = await pages.desk.installation.history.event(answer.headers["location"].removeprefix("/events/"))
    assert event
    assert (event.name, event.data, event.sender_id, len(event.runs)) == ("order.placed", {"total": 12.5}, "mine", 1)


async def test_an_id_that_was_sent_before_leads_to_the_first(pages: Pages, client: httpx2.AsyncClient) -> None:
    first = await pages.desk.send("nap", id="mine")
    answer = await send(client, name="nap", id="mine")
    assert answer.headers["location"] == f"/events/{first}?known=1"
    assert "It had come before" in words(await read(client, answer.headers["location"]))


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"data": '{"a": 1,\n "b": x}'}, "Line 2, column 7: unexpected character"),
        ({"data": "[1]"}, "The data of an event is an object"),
        ({"data": "[" * 300 + "]" * 300}, "The data of an event is an object"),
        ({"data": '{"a":' * 300 + "1" + "}" * 300}, "nested more than 250 levels deep"),
        ({"name": "  "}, "Name is an empty text"),
        ({"name": "inngest/x"}, "which is kept for the platform"),
        ({"name": "é" * 300}, "Name has 600 bytes"),
        ({"id": "x" * 513}, "Id has 513 bytes"),
        ({"ts": "tomorrow"}, "&#39;tomorrow&#39; is no time"),
        ({"ts": "1700000000"}, "is it in seconds?"),
        ({"data": '{"a":"' + "x" * 600_000 + '"}'}, "the limit is 524,288"),
    ],
)
async def test_mistakes_are_told_at_their_field_and_what_was_typed_stays(
    pages: Pages, client: httpx2.AsyncClient, fields: dict[str, str], said: str
) -> None:
    typed = {"name": "nap", "data": '{"kept": "<b>"}', "id": "my-id", "ts": "2026-01-01T10:00Z", **fields}
    answer = await send(client, **typed)
    assert answer.status_code == 422
    assert said in words(answer.text)
    assert {name: field_of(answer.text, name) for name in typed} == typed
    wrong = next(iter(fields))
    assert re.search(rf'name="{wrong}"[^>]*aria-describedby="{wrong}-mistake"', answer.text)
    assert f'id="{wrong}-mistake"' in answer.text
    assert not (await pages.desk.installation.history.events()).items


@pytest.mark.parametrize(
    ("typed", "after"),
    [("10m", 600_000), ("2026-01-01T01:00Z", 3_600_000), ("2026-01-01T02:00+01:00", 3_600_000), ("", 0)],
)
async def test_the_time_of_an_event_is_a_moment_or_how_long_from_now(
    pages: Pages, client: httpx2.AsyncClient, typed: str, after: int
) -> None:
    answer = await send(client, name="nap", data="", ts=typed)
    event = await pages.desk.installation.history.event(answer.headers["location"].removeprefix("/events/"))
    assert event
    assert event.ts - event.received == after


async def test_the_form_is_filled_in_from_its_address(client: httpx2.AsyncClient) -> None:
    html = await read(client, "/events/send?name=order.placed&data=%7B%22a%22%3A+1.50%7D")
    assert (field_of(html, "name"), field_of(html, "data")) == ("order.placed", '{"a": 1.50}')
    assert "Starts shop/charge" in words(html)
    assert "No function starts on this name" in words(await read(client, "/events/send?name=none"))
    assert '<option value="order.placed">shop/charge</option>' in html


async def test_the_form_is_filled_in_from_an_event_without_its_id(pages: Pages, client: httpx2.AsyncClient) -> None:
    event = await pages.desk.send("order.placed", ORDER, id="order-A-1")
    assert f'href="/events/send?from={event}"' in await read(client, f"/events/{event}")
    html = await read(client, f"/events/send?from={event}")
    assert field_of(html, "name") == "order.placed"
    assert field_of(html, "data") == '{\n  "id": "A-1",\n  "total": 250\n}'
    assert field_of(html, "id") == ""


async def test_what_only_the_platform_sends_cannot_be_sent_again(pages: Pages, client: httpx2.AsyncClient) -> None:
    await pages.desk.register(function("watch", "inngest/function.finished"))
    html = await read(client, f"/events/{await pages.desk.send('inngest/function.finished')}")
    assert "Send again" not in html
    assert "stepwell send" not in html
    assert 'value="inngest/' not in await read(client, "/events/send")


async def test_another_site_cannot_send(pages: Pages, client: httpx2.AsyncClient) -> None:
    client.headers["Sec-Fetch-Site"] = "cross-site"
    assert (await send(client, name="nap")).status_code == 403
    assert not (await pages.desk.installation.history.events()).items


# Who may do what


async def test_who_may_only_read_is_offered_no_sending(locked: tuple[Pages, httpx2.AsyncClient]) -> None:
    pages, client = locked
    event = await pages.desk.send("order.placed", ORDER)
    await sign_in(client, "see")
    for path in ("/events", f"/events/{event}", "/events/names"):
        assert "/events/send" not in (await client.get(path)).text, path
    assert (await client.get("/events/send")).status_code == 403
    assert (await send(client, name="nap")).status_code == 403


async def test_the_form_has_to_be_made_for_who_sends_it(locked: tuple[Pages, httpx2.AsyncClient]) -> None:
    _, client = locked
    await sign_in(client, "do")
    assert (await send(client, name="nap", token="x")).status_code == 403
    token = re.search(r'send-form.*?name="token" value="([^"]+)"', (await client.get("/events/send")).text, re.DOTALL)
    assert token
    assert (await send(client, name="nap", token=token[1])).status_code == 303


async def test_who_may_not_see_payloads_sees_none_of_an_event(locked: tuple[Pages, httpx2.AsyncClient]) -> None:
    pages, client = locked
    await pages.desk.register(
        ODD,
        function("once", "order.placed", rate_limit={"limit": 5, "period": 60_000, "key": "event.data.customer + 1"}),
    )
    event = await pages.desk.send("order.placed", {"total": "much", "customer": "Ada"})
    await sign_in(client, "do")
    html = (await client.get(f"/events/{event}")).text
    assert "Ada" in html
    assert "cannot be evaluated" in html
    await sign_in(client, "blind")
    for path in (f"/events/{event}", f"/events/send?from={event}", "/events"):
        html = (await client.get(path)).text
        for payload in ("Ada", "much", "cannot be evaluated", 'name="q"'):
            assert payload not in html, path
    assert "hidden from your key" in words((await client.get(f"/events/{event}")).text)
    assert "Its data is hidden from your key" in words((await client.get(f"/events/send?from={event}")).text)
    for path in (f"/events/{event}/data", "/events?q=event.data.total+%3D%3D+1"):
        assert "may not see payloads" in words((await client.get(path)).text)


# Names


async def test_names_are_those_that_start_functions_and_those_that_came(
    pages: Pages, client: httpx2.AsyncClient
) -> None:
    await pages.desk.register(BIG, function("charge"))
    for name in ("order.placed", "order.placed", "cart.abandoned"):
        await pages.desk.send(name)
    html = await read(client, "/events/names")
    text = words(html)
    assert "those of the latest 3 of 3 events" in text
    assert (
        "order.placed shop/big if event.data.total &gt; 100 or if event.data.vip == true shop/charge 2 now Send" in text
    )
    assert "cart.abandoned no function 1" in text
    assert "order.* shop/big if event.data.vip == true" in text
    assert 'href="/events?name=cart.abandoned"' in html
    assert 'href="/events?name=order.%2A"' not in html, "no event is called so"


async def test_an_outage_is_no_empty_list(client: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    async def away(*_: Any, **__: Any) -> None:
        raise StoreUnavailable("redis://shop", "connection refused")

    monkeypatch.setattr(History, "events", away)
    for path in ("/events", "/events/names"):
        text = words(await read(client, path, 503))
        assert "Redis cannot be reached" in text
        assert "No event" not in text
