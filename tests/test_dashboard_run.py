"""The page of a run: what was said, why it failed, and what a person does to it from there."""

from collections.abc import AsyncGenerator
from typing import Any
from urllib.parse import urlencode

import httpx2
import orjson
import pytest
from pydantic import SecretStr

from stepwell.dashboard.wording.failures import failure_view
from stepwell.platform.incoming import LATEST
from stepwell.platform.records import Lease
from stepwell.platform.settings import Settings
from tests.test_api_logs import say
from tests.test_api_steering import EVENT, HOUR, INVOKE
from tests.test_dashboard_pages import HOSTILE, NOBODY, Pages, read, words
from tests.test_dashboard_sign_in import sign_in

KEYS = tuple(map(SecretStr, ("reader:read:look", "oncall:operate:do", "blind:operate+no-payloads:blind")))
SITE = "/venv/lib/python3.12/site-packages/aiohttp/client.py"
CHAINED = {
    "type": "CardDeclined",
    "message": "order o-1",
    "traceback": [
        {"file": "/srv/store/app.py", "line": 7, "function": "fulfil", "source": "bank.charge(order)"},
        {"file": SITE, "line": 90, "function": "request"},
        {"file": SITE, "line": 91, "function": "_request"},
        {"file": "/srv/store/bank.py", "line": 12, "function": "charge"},
    ],
    "causes": [{"relation": "cause", "type": "Refused", "message": f"by the issuer {HOSTILE}", "traceback": "as text"}],
}


@pytest.fixture
async def pages() -> AsyncGenerator[Pages]:
    async with Pages.open() as pages:
        yield pages


@pytest.fixture
async def client(pages: Pages) -> AsyncGenerator[httpx2.AsyncClient]:
    async with pages.client() as client:
        yield client


async def leased(pages: Pages, data: dict[str, Any] | None = None) -> Lease:
    """A run that executes, with one step that is done."""
    await pages.desk.start("order.placed", data or {"id": "o-1"})
    [lease] = await pages.desk.lease("shop/charge")
    await pages.desk.owner().checkpoint(
        lease.run, lease.token, 1, "look-up", "run", ok=True, attempts=1, took=2, payload=b'{"price":12.50}'
    )
    return lease


async def armed(pages: Pages, kind: str, due: int = HOUR, payload: bytes = b"") -> str:
    """A run that waits in its step "rest"."""
    lease, owner = await leased(pages), pages.desk.owner()
    delay, until = (None, due) if due == LATEST else (due, None)
    await owner.arm(lease.run, lease.token, 2, "rest", kind, delay=delay, until=until, payload=payload)
    await owner.suspend(lease.run, lease.token, 3, 1)
    return lease.run


async def post(client: httpx2.AsyncClient, path: str, **fields: str) -> httpx2.Response:
    """What a form of a page sends."""
    return await client.post(path, data=fields)


async def sent(client: httpx2.AsyncClient, path: str, **fields: str) -> str:
    """Where a form that is taken leads."""
    answer = await post(client, path, **fields)
    assert answer.status_code == 303, answer.text
    return answer.headers["location"]


# What was said.


async def test_what_code_has_said_is_a_tab_with_filters(pages: Pages, client: httpx2.AsyncClient) -> None:
    lease = await leased(pages)
    assert "It has not said anything yet" in words(await read(client, f"/runs/{lease.run}?tab=logs"))
    await say(pages.desk, lease, 2, "first", "second", step="look-up", value=0.4)
    await say(pages.desk, lease, 3, "third")
    shown = words(await read(client, f"/runs/{lease.run}?tab=logs"))
    assert shown.index("first") < shown.index("second") < shown.index("third")
    assert "40 % · so far" in shown
    narrowed = words(await read(client, f"/runs/{lease.run}?tab=logs&step=look-up&text=SEC&level=info"))
    assert "second" in narrowed
    assert "first" not in narrowed
    assert "No line that is kept is like that" in words(await read(client, f"/runs/{lease.run}?tab=logs&level=error"))


async def test_lines_that_are_not_kept_are_counted_and_pages_lead_to_older_ones(
    pages: Pages, client: httpx2.AsyncClient
) -> None:
    lease = await leased(pages)
    await say(pages.desk, lease, 2, *[f"line-{number}" for number in range(8)])
    shown = words(await read(client, f"/runs/{lease.run}?tab=logs"))
    assert "The oldest 3 of 8 lines are not kept" in shown
    assert "line-2" not in shown
    later = words(await read(client, f"/runs/{lease.run}?tab=logs&after=6"))
    assert "line-6" in later
    assert "line-5" not in later
    assert "Older lines" in later


# Why it failed.


async def test_an_error_shows_its_causes_and_folds_what_libraries_did(pages: Pages, client: httpx2.AsyncClient) -> None:
    lease = await leased(pages)
    await pages.desk.owner().finish(lease.run, lease.token, 2, "failed", orjson.dumps(CHAINED))
    html = await read(client, f"/runs/{lease.run}")
    text = words(html)
    assert "CardDeclined order o-1" in text
    assert "fulfil srv/store/app.py:7 bank.charge(order)" in text
    assert "2 calls in libraries" in text
    assert "caused by Refused by the issuer" in text
    assert "as text" in text
    assert HOSTILE not in html
    query = urlencode({"status": "failed", "function": "shop/charge", "q": 'error.type == "CardDeclined"'})
    assert query.replace("&", "&amp;") in html


def test_an_error_is_copied_with_all_its_calls() -> None:
    view = failure_view(orjson.dumps(CHAINED))
    assert view
    assert view.raw.splitlines() == [
        "CardDeclined: order o-1",
        '  File "/srv/store/app.py", line 7, in fulfil',
        "    bank.charge(order)",
        f'  File "{SITE}", line 90, in request',
        f'  File "{SITE}", line 91, in _request',
        '  File "/srv/store/bank.py", line 12, in charge',
        "",
        f"caused by Refused: by the issuer {HOSTILE}",
        "as text",
    ]
    assert failure_view(b"") is None


# What a person does.


async def test_a_run_is_done_again_once_however_often_the_button_is_pressed(
    pages: Pages, client: httpx2.AsyncClient
) -> None:
    run = await pages.failed()
    first = await sent(client, f"/runs/{run}/rerun", request="r1")
    assert first == await sent(client, f"/runs/{run}/rerun", request="r1")
    assert first != await sent(client, f"/runs/{run}/rerun", request="r2")
    assert f"Rerun of {run}" in words(await read(client, first))


async def test_a_run_is_done_again_with_another_input_from_a_step(pages: Pages, client: httpx2.AsyncClient) -> None:
    run = (await leased(pages, {"id": "o-1", "price": 10000000000000001})).run
    html = await read(client, f"/runs/{run}/rerun?step=look-up")
    assert "10000000000000001" in html
    assert '<option value="look-up" selected>' in html
    typed = {"input": '{"id": "o-2"}', "was": "", "step": "look-up", "output": '{"price": 1}', "request": "r1"}
    new = await sent(client, f"/runs/{run}/rerun", **typed)
    text = words(await read(client, new))
    assert "&#34;o-2&#34;" in text
    assert "&#34;price&#34; : 1" in text


async def test_an_input_that_nobody_has_changed_is_that_of_the_run(pages: Pages, client: httpx2.AsyncClient) -> None:
    run = await pages.failed()
    was = '{\n  "customer": "x"\n}'
    new = await sent(client, f"/runs/{run}/rerun", input=was.replace("\n", "\r\n"), was=was, request="r1")
    view = await pages.desk.installation.history.run(new.removeprefix("/runs/"))
    old = await pages.desk.installation.history.run(run)
    assert view
    assert old
    assert view.run.event == old.run.event


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ({"input": "{oops"}, "line 1 column 2 (char 1)"),
        ({"input": "[1]"}, "the input is no JSON object"),
        ({"input": "", "step": "none"}, "has no step &#39;none&#39;"),
        ({"input": "", "step": "look-up", "output": "tru"}, "the output of the step is no JSON"),
        ({"input": '{"a":' * 300 + "1" + "}" * 300}, "nested too deep to be kept"),
        ({"input": "", "step": "look-up", "output": "[" * 300 + "]" * 300}, "nested too deep to be kept"),
    ],
)
async def test_what_was_typed_is_kept_when_it_cannot_be_used(
    pages: Pages, client: httpx2.AsyncClient, typed: dict[str, str], said: str
) -> None:
    run = (await leased(pages)).run
    answer = await post(client, f"/runs/{run}/rerun", request="r1", **typed)
    assert answer.status_code == 422
    assert said in words(answer.text)
    for value in typed.values():
        assert value in answer.text.replace("&#34;", '"')


async def test_a_sleep_is_woken_and_a_retry_made_now(pages: Pages, client: httpx2.AsyncClient) -> None:
    run = await pages.sleeping()
    assert "Wake now" in words(await read(client, f"/runs/{run}"))
    assert await sent(client, f"/runs/{run}/wake", step="rest") == f"/runs/{run}"
    assert "No worker serves this function" in words(await read(client, f"/runs/{run}"))
    answer = await post(client, f"/runs/{run}/retry", step="rest")
    assert answer.status_code == 409
    assert "is not about to be tried again" in words(answer.text)
    assert (await post(client, f"/runs/{run}/wake")).status_code == 422


async def test_a_wait_is_given_its_event(pages: Pages, client: httpx2.AsyncClient) -> None:
    run = await armed(pages, "wait_for_event", HOUR, EVENT)
    html = await read(client, f"/runs/{run}")
    assert f'href="/runs/{run}/resolve?step=rest"' in html
    assert 'href="/events/send?name=order.approved"' in html
    assert "order.approved" in await read(client, f"/runs/{run}/resolve?step=rest")
    wrong = await post(client, f"/runs/{run}/resolve", step="rest", how="output", outcome='{"nam": 1}')
    assert wrong.status_code == 422
    assert "an event is" in words(wrong.text).lower()
    assert "&#34;nam&#34;" in wrong.text
    nested = '{"name": "order.approved", "data": ' + '{"a":' * 300 + "1" + "}" * 301
    deep = await post(client, f"/runs/{run}/resolve", step="rest", how="output", outcome=nested)
    assert (deep.status_code, "nested too deep to be kept" in words(deep.text)) == (422, True)
    given = '{"name": "order.approved", "data": {"by": "ana"}}'
    assert await sent(client, f"/runs/{run}/resolve", step="rest", how="output", outcome=given) == f"/runs/{run}"
    assert "&#34;ana&#34;" in await read(client, f"/runs/{run}")
    assert "does not wait any more" in words(await read(client, f"/runs/{run}/resolve?step=rest", 409))


async def test_a_wait_for_a_run_fails_by_hand(pages: Pages, client: httpx2.AsyncClient) -> None:
    run = await armed(pages, "invoke", LATEST, INVOKE)
    assert "Wake now" not in words(await read(client, f"/runs/{run}"))
    await sent(client, f"/runs/{run}/resolve", step="rest", how="error", type="Lost", message="by hand")
    assert "Lost by hand" in words(await read(client, f"/runs/{run}"))


@pytest.mark.parametrize("path", ["rerun", "resolve?step=rest", "resolve"])
async def test_forms_of_a_run_that_is_not_there_say_so(client: httpx2.AsyncClient, path: str) -> None:
    status = 400 if path == "resolve" else 404
    await read(client, f"/runs/{NOBODY}/{path}", status)


# Who may.


async def test_who_only_reads_is_offered_nothing_and_refused(pages: Pages) -> None:
    async with Pages.open(Settings(api_keys=KEYS)) as locked, locked.client() as client:
        run = await locked.sleeping()
        await sign_in(client, "look")
        html = await read(client, f"/runs/{run}")
        for word in ("Rerun", "Cancel run", "Wake now", "/rerun", "/resolve"):
            assert word not in html
        assert (await client.get(f"/runs/{run}/rerun")).status_code == 403
        for verb in ("rerun", "retry", "wake", "resolve", "cancel"):
            assert (await post(client, f"/runs/{run}/{verb}", step="rest")).status_code == 403, verb


async def test_who_may_not_see_payloads_sees_none_in_forms_or_logs(pages: Pages) -> None:
    async with Pages.open(Settings(api_keys=KEYS)) as locked, locked.client() as client:
        lease = await leased(locked, {"secret": "s3cr3t"})
        await say(locked.desk, lease, 2, "s3cr3t")
        await locked.desk.owner().finish(lease.run, lease.token, 3, "failed", orjson.dumps(CHAINED))
        await sign_in(client, "blind")
        for path in ("", "?tab=logs", "?tab=logs&text=s3", "/rerun"):
            html = await read(client, f"/runs/{lease.run}{path}")
            assert "s3cr3t" not in html, path
            assert "bank.py" not in html, path
            assert "issuer" not in html, path
        assert "logs are hidden from your key" in words(await read(client, f"/runs/{lease.run}?tab=logs"))


# What has happened.


async def test_the_history_tells_where_the_time_went_and_what_failed(pages: Pages, client: httpx2.AsyncClient) -> None:
    lease, owner, clock = await leased(pages), pages.desk.owner(), pages.desk.clock
    clock.advance(2_000)
    error = orjson.dumps({"type": "Timeout", "message": f"bank {HOSTILE}", "traceback": []})
    await owner.retry_step(lease.run, lease.token, 2, "charge", "run", attempts=1, delay=HOUR, took=3, error=error)
    await owner.suspend(lease.run, lease.token, 3, 1)
    clock.advance(5_000)
    html = await read(client, f"/runs/{lease.run}?tab=history")
    text = words(html)
    assert "Running 2.0 s" in text
    assert "Waiting 5.0 s" in text
    assert text.index("Created") < text.index("Step look-up run") < text.index("Attempt failed charge run · attempt 1")
    assert "Timeout: bank" in text
    assert HOSTILE not in html


async def test_a_long_history_is_told_in_pages(pages: Pages, client: httpx2.AsyncClient) -> None:
    lease, owner = await leased(pages), pages.desk.owner()
    for number in range(2, 302):
        await owner.checkpoint(
            lease.run, lease.token, number, f"s{number}", "run", ok=True, attempts=1, took=0, payload=b"1"
        )
    first = await read(client, f"/runs/{lease.run}?tab=history")
    assert first.count('class="story-line ') == 200
    onward = first.partition("Newer entries")[0].rpartition('href="')[2].partition('"')[0].replace("&amp;", "&")
    rest = await read(client, onward)
    assert "Older entries" in rest
    assert "s301" in rest
    assert "s301" not in first


async def test_earlier_attempts_of_a_step_are_told_with_their_errors(pages: Pages, client: httpx2.AsyncClient) -> None:
    lease, owner = await leased(pages), pages.desk.owner()
    for attempt, message in ((1, "first"), (2, "second")):
        error = orjson.dumps({"type": "Timeout", "message": message, "traceback": []})
        await owner.retry_step(
            lease.run, lease.token, attempt + 1, "charge", "run", attempts=attempt, delay=1, took=3, error=error
        )
    text = words(await read(client, f"/runs/{lease.run}"))
    assert "Attempts that failed before" in text
    assert "Timeout: first" in text
    assert text.count("Timeout: second") == 0, "the last one is what the step shows"
    assert "Timeout second" in text


async def test_attempts_that_failed_alike_are_told_each(pages: Pages, client: httpx2.AsyncClient) -> None:
    lease, owner = await leased(pages), pages.desk.owner()
    error = orjson.dumps({"type": "Timeout", "message": "again", "traceback": []})
    for attempt in (1, 2, 3):
        await owner.retry_step(
            lease.run, lease.token, attempt + 1, "charge", "run", attempts=attempt, delay=1, took=3, error=error
        )
    text = words(await read(client, f"/runs/{lease.run}"))
    assert "Attempt 1" in text
    assert "Attempt 2" in text
    assert "Attempt 3" not in text, "it is what the step shows"


async def test_a_step_that_is_not_there_is_named(pages: Pages, client: httpx2.AsyncClient) -> None:
    run = await pages.sleeping()
    text = words(await read(client, f"/runs/{run}/resolve?step=nope", 404))
    assert f"Run {run} has no step &#39;nope&#39;" in text
