"""Apps that serve their functions: who may call them, what they register, and what holds when something breaks."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import httpx2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stepwell.client.address import Address
from stepwell.client.errors import Answered, Unreachable
from stepwell.functions import (
    App,
    Batch,
    CancelOn,
    Concurrency,
    Context,
    DefinitionError,
    Fairness,
    Idempotency,
    Priority,
    Singleton,
    Throttle,
    Timeouts,
    cron,
)
from stepwell.functions.journal import JournalUnavailable, LeaseLost
from stepwell.functions.replay import Ending, Released
from stepwell.functions.served.door import Door, Refused, Repeated
from stepwell.functions.served.environment import Environment
from stepwell.functions.served.registration import registration as registered
from stepwell.functions.served.request import Request
from stepwell.functions.served.served import Served
from stepwell.functions.signing import Keys, canonical, sign, verify
from stepwell.platform.clock import SystemClock
from stepwell.platform.codec import UnencodableJSON, decode, encode
from stepwell.platform.executor.journal import RunJournal
from stepwell.platform.executor.remote.ours import OurExecution
from stepwell.platform.reading.logs import log_of
from stepwell.platform.records import Status
from stepwell.platform.settings import Settings
from stepwell.platform.store.memory import memory_store
from stepwell.platform.store.store import Store
from stepwell.platform.wire.registration import manifest_of, registration
from stepwell.platform.wire.replies import reply_of
from tests.api_desk import Desk
from tests.served_harness import InProcessServer, ServedHarness

KEY, OTHER = "signkey-prod-" + "ab" * 32, "cd" * 32
URL = "https://shop.example/api/stepwell"
BODY = canonical({"a": 1})


def now() -> int:
    """As apps see it."""
    return SystemClock().now()


def post(body: bytes = BODY, **headers: str) -> Request:
    """A call from far away."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Request("POST", f"{URL}?fnId=shop-work&stepId=step", named, body, "203.0.113.7")


def signed(body: bytes = BODY, key: str = KEY, at: int | None = None) -> Request:
    """The same, signed."""
    return post(body, x_inngest_signature=sign(body, key, now() if at is None else at))


class Recording:
    """Stands for the server."""

    def __init__(self, answer: Any = None) -> None:
        self.asked: list[tuple[str, Any]] = []
        self.answer = answer

    async def post(self, path: str, body: bytes) -> Any:
        """See `Server`."""
        self.asked.append((path, decode(body)))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def served(app: App, keys: Keys = Keys(), server: Recording | None = None) -> Served:  # noqa: B008 # it is frozen
    """An app that is served."""
    return Served(app, Environment(Address("http://127.0.0.1:8288", "dev", None), keys), None, server or Recording())


def shop() -> App:
    """With one function, which does nothing."""
    app = App("shop")

    @app.function(on="go")
    async def work(ctx: Context[Any]) -> None: ...

    return app


# Who may call.


def test_only_who_knows_a_key_passes_and_each_request_once() -> None:
    door, request = Door(Keys(KEY, OTHER)), signed()
    door.check(request, once=True)
    door.check(signed(canonical({"a": 2}), OTHER), once=True)
    with pytest.raises(Repeated, match="served already"):
        door.check(request, once=True)
    spread = post(b'{ "a": 1 }', x_inngest_signature=sign(BODY, KEY, now() - 10_000))
    door.check(spread, once=True)


@pytest.mark.parametrize(
    ("made", "why"),
    [
        (post, "not signed"),
        (lambda: signed(key="ef" * 32), "another key"),
        (lambda: signed(at=now() - 301_000), "five minutes"),
        (lambda: signed(at=now() + 310_000), "five minutes"),
        (lambda: replace(signed(), body=b'{"a":2}'), "another key"),
        (lambda: replace(signed(), body=b"{"), "another key"),
    ],
)
def test_others_are_told_why_they_do_not_pass(made: Callable[[], Request], why: str) -> None:
    with pytest.raises(Refused, match=why):
        Door(Keys(KEY)).check(made(), once=True)


@pytest.mark.parametrize(
    ("url", "peer", "headers", "passes"),
    [
        ("http://127.0.0.1:8000/", "127.0.0.1", {}, True),
        ("http://localhost:8000/", "::1", {}, True),
        ("http://127.0.0.1:8000/", "203.0.113.7", {}, False),
        ("http://shop.example/", "127.0.0.1", {}, False),
        ("http://127.0.0.1:8000/", "127.0.0.1", {"x-forwarded-for": "203.0.113.7"}, False),
        ("http://127.0.0.1:8000/", "", {}, False),
        ("http://127.0.0.1:8000/", "127.0.0.1", {"origin": "https://evil.example"}, False),
        ("http://127.0.0.1:8000/", "127.0.0.1", {"sec-fetch-site": "cross-site"}, False),
    ],
)
def test_without_a_key_only_this_machine_passes(url: str, peer: str, headers: dict[str, str], *, passes: bool) -> None:
    request = Request("POST", url, headers, BODY, peer)
    if passes:
        Door(Keys()).check(request, once=True)
    else:
        with pytest.raises(Refused, match="STEPWELL_SIGNING_KEY"):
            Door(Keys()).check(request, once=True)


async def test_refusals_are_answered_and_what_anybody_gets_is_not_signed() -> None:
    app = served(shop(), Keys(KEY))
    answer = await app.answer(post())
    assert (answer.status, decode(answer.body)["name"]) == (401, "Unauthorized")
    for asked in (post(), replace(post(), method="GET"), replace(post(), method="DELETE")):
        assert "x-inngest-signature" not in (await app.answer(asked)).headers, "or it could be sent back as a request"
    asked = signed()
    known, again = await app.answer(asked), await app.answer(asked)
    assert (again.status, "x-inngest-signature" in again.headers) == (409, False), "and not 401: no other key would do"
    assert verify(known.body, known.headers["x-inngest-signature"], [KEY], now())
    assert answer.headers["x-inngest-sdk"].startswith("stepwell:v")
    assert (await app.answer(replace(post(), method="PUT"))).status == 401
    assert (await app.answer(replace(post(), method="DELETE"))).status == 405


@pytest.mark.parametrize(
    ("body", "function", "why"),
    [
        (BODY, "shop-work", "no field 'stepwell'"),
        (b"[]", "shop-work", "no field 'stepwell'"),
        (canonical({"stepwell": {"run": 1}}), "shop-work", "cannot be read"),
        (BODY, "shop-gone", "no function 'shop-gone'"),
    ],
)
async def test_what_is_no_call_is_said_to_be_none(body: bytes, function: str, why: str) -> None:
    request = replace(signed(body), url=f"{URL}?fnId={function}")
    answer = await served(shop(), Keys(KEY)).answer(request)
    assert answer.status == 500
    assert why in decode(answer.body)["message"]


async def test_a_call_of_one_function_is_none_of_another() -> None:
    app = shop()

    @app.function(on="other")
    async def other(ctx: Context[Any]) -> None: ...

    ours = {"run": "R", "function": "shop/other", "token": "t", "attempt": 0, "max_attempts": 1, "turn": 0, "now": 1}
    body = canonical({"stepwell": {**ours, "events": "[]", "steps": []}})
    answer = await served(app, Keys(KEY)).answer(replace(signed(body), url=f"{URL}?fnId=shop-work"))
    assert (answer.status, "was sent to 'shop/work'" in decode(answer.body)["message"]) == (400, True)


def test_a_signature_has_one_form() -> None:
    request = signed()
    given = request.headers["x-inngest-signature"]
    for other in (given.replace("t=", "t=0"), given.replace("t=", "t=00"), given.upper()):
        assert not verify(request.body, other, [KEY], now())


# What is registered.


async def test_with_a_key_only_what_is_signed_says_where_an_app_is() -> None:
    server = Recording({"ok": True, "modified": True})
    request = replace(signed(canonical({"schema_version": "1"})), method="PUT", url="http://evil.example/api")
    answer = await served(shop(), Keys(KEY), server).answer(request)
    assert (answer.status, server.asked) == (400, [])


async def test_an_app_registers_where_the_server_has_asked_it() -> None:
    server = Recording({"ok": True, "modified": True})
    request = replace(signed(canonical({"url": "https://other.example/x"})), method="PUT")
    answer = await served(shop(), Keys(KEY), server).answer(request)
    assert decode(answer.body) == {"message": "registered", "modified": True}
    [(path, body)] = server.asked
    assert (path, body["url"], body["appName"]) == ("/fn/register", "https://other.example/x", "shop")
    away = served(shop(), Keys(KEY), Recording(Unreachable("http://127.0.0.1:8288", "refused")))
    refused = await away.answer(request)
    assert refused.status == 500
    assert "no answer from http://127.0.0.1:8288" in decode(refused.body)["message"]


async def test_a_server_may_register_it_itself() -> None:
    request = signed(canonical({"url": URL}))
    inside = replace(request, method="PUT", headers={**request.headers, "x-inngest-sync-kind": "in_band"})
    answer = await served(shop(), Keys(KEY)).answer(inside)
    assert answer.headers["x-inngest-sync-kind"] == "in_band"
    told = decode(answer.body)
    assert (told["app_id"], told["url"], told["functions"][0]["id"]) == ("shop", URL, "shop-work")


async def test_what_an_app_says_of_itself_is_no_secret() -> None:
    told = decode((await served(shop(), Keys(KEY)).answer(replace(post(b""), method="GET"))).body)
    assert (told["mode"], told["function_count"], told["has_signing_key"]) == ("cloud", 1, True)


def test_every_control_is_registered_as_with_a_worker() -> None:
    app = App("shop", version="7")

    @app.function(
        on=["order.*", cron("0 9 * * *", tz="Europe/Paris", overlap="skip", jitter="5m")],
        retries=7,
        concurrency=[2, Concurrency(3, key="event.data.id", scope="app", name="ids")],
        throttle=Throttle(1, "1s"),
        batch=Batch(10, "5s"),
        priority=Priority("event.data.rank"),
        singleton=Singleton(mode="cancel"),
        fairness=Fairness("event.data.id"),
        cancel_on=CancelOn("stop", match="data.id"),
        timeouts=Timeouts(start="1m", finish="1h"),
        idempotency=Idempotency("event.data.id", "1h"),
        on_failure=lambda ctx: None,
    )
    async def work(ctx: Context[Any]) -> None: ...

    manifest = manifest_of(registration(registered(app, URL)))
    plain = [one.model_copy(update={"url": None}) for one in manifest.functions]
    assert plain == app.manifest.functions
    assert (manifest.version, manifest.served and manifest.served.url) == ("7", URL)
    assert [one.url for one in manifest.functions] == [
        f"{URL}?fnId=shop-work&stepId=step",
        f"{URL}?fnId=shop-work.on_failure&stepId=step",
    ]


def test_a_wrong_key_or_server_is_met_where_it_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DefinitionError, match="STEPWELL_SIGNING_KEY is no signing key"):
        shop().serve(signing_key="secret")
    with pytest.raises(DefinitionError, match="no server address"):
        shop().serve(server="nowhere")
    monkeypatch.setenv("STEPWELL_SIGNING_KEY_FALLBACK", "xyz")
    with pytest.raises(DefinitionError, match="STEPWELL_SIGNING_KEY_FALLBACK"):
        shop().serve()


# What holds when something breaks.


async def with_platform(store: Store, app: App, story: Callable[[ServedHarness], Awaitable[None]]) -> None:
    """Tells a story of an app that is served; nothing is left behind."""
    platform = ServedHarness(store, [app], Settings(retry_interval=1))
    await platform.register_app(app)
    await platform.scheduler.tick()
    await platform.start_worker()
    try:
        await story(platform)
    finally:
        await platform.close()
    await platform.forget_everything()
    assert await platform.keys_without_owner() == []


async def test_a_step_that_could_not_be_recorded_goes_with_the_answer_and_is_not_repeated(store: Store) -> None:
    app, calls, away = App("shop"), list[str](), list[InProcessServer]()

    @app.function(on="go")
    async def work(ctx: Context[Any]) -> list[str]:
        async def body(name: str) -> str:
            calls.append(name)
            away[0].away = name == "one"
            return name

        return [await ctx.step.run(name, body, name) for name in ("one", "two")]

    async def story(platform: ServedHarness) -> None:
        away.append(platform.server)
        run = await platform.start("go")
        await platform.eventually(lambda: recorded(platform, run, "one"))
        platform.server.away = False
        assert await platform.output(run) == ["one", "two"]
        assert calls == ["one", "two"]

    await with_platform(store, app, story)


@pytest.mark.parametrize("lost", [LeaseLost("another has it"), JournalUnavailable("no Redis")])
async def test_a_step_that_comes_with_the_answer_and_cannot_be_recorded_either_lets_the_run_go(
    store: Store, monkeypatch: pytest.MonkeyPatch, lost: BaseException
) -> None:
    endings = list[Ending]()
    run_it = OurExecution.run

    async def run(execution: OurExecution) -> Ending:
        endings.append(await run_it(execution))
        return endings[-1]

    async def checkpoint(*_: Any) -> int:
        raise lost

    app = App("shop")

    @app.function(on="go")
    async def work(ctx: Context[Any]) -> str:
        return await ctx.step.run("one", lambda: "one")

    async def story(platform: ServedHarness) -> None:
        monkeypatch.setattr(OurExecution, "run", run)
        platform.server.away = True
        with monkeypatch.context() as patch:
            patch.setattr(RunJournal, "checkpoint", checkpoint)
            id = await platform.start("go")
            await platform.eventually(lambda: asyncio.sleep(0, endings))
            platform.server.away = False
        assert await platform.output(id) == "one"
        assert isinstance(endings[0], Released)

    await with_platform(store, app, story)


async def test_an_app_that_cannot_reach_its_server_is_called_again_after_a_while(store: Store) -> None:
    app, calls = App("shop"), list[int]()

    @app.function(on="go")
    async def nap(ctx: Context[Any]) -> str:
        calls.append(1)
        await ctx.step.sleep("nap", "10s")
        return "awake"

    async def story(platform: ServedHarness) -> None:
        platform.server.away = True
        run = await platform.start("go")
        await asyncio.sleep(0.5)
        assert len(calls) == 1
        platform.server.away = False
        await platform.until(run, Status.WAITING)
        await platform.advance(10_000)
        assert await platform.output(run) == "awake"

    await with_platform(store, app, story)


async def test_an_app_that_records_at_another_server_is_not_called_for_ever(store: Store) -> None:
    app, calls = App("shop"), list[int]()

    @app.function(on="go", retries=2)
    async def work(ctx: Context[Any]) -> str:
        calls.append(1)
        return await ctx.step.run("charge", lambda: "paid")

    async def story(platform: ServedHarness) -> None:
        async def unknown(path: str, body: bytes) -> Any:
            raise Answered(409, "stale", "this call is not the run's any more", "")

        platform.server.post = unknown  # type: ignore[method-assign]
        run = await platform.start("go")
        for seconds in (1, 2):
            await platform.until(run, Status.WAITING)
            await platform.advance(seconds * 1000)
        error = await platform.error(run)
        assert (error["type"], "STEPWELL_URL" in error["message"]) == ("NotRecorded", True)
        assert len(calls) == 3

    await with_platform(store, app, story)


COMPLETE: dict[str, Any] = {"output": "null", "drift": []}
SUSPEND: dict[str, Any] = {"turn": 0, "within": 0}
STEP: dict[str, Any] = {"key": "a", "kind": "run", "ok": True, "attempts": 1, "took": 1, "payload": "1"}


@pytest.mark.parametrize(
    ("status", "code", "own"),
    [
        (206, "RunComplete", {**COMPLETE, "output": "nul"}),
        (206, "RunComplete", {**COMPLETE, "output": '"' + "x" * 9_000 + '"'}),
        (206, "RunComplete", {**COMPLETE, "output": 7}),
        (206, "", {**SUSPEND, "within": 10**17}),
        (206, "", {**SUSPEND, "turn": "1"}),
        (206, "DiscoveryRequest", {"why": "", "unsaved": [{**STEP, "kind": "a b"}]}),
        (206, "DiscoveryRequest", {"why": "", "unsaved": [{**STEP, "attempts": "x"}]}),
        (206, "DiscoveryRequest", {"why": "", "unsaved": [{**STEP, "payload": "{"}]}),
        (500, "", {"error": "no JSON", "drift": []}),
        (500, "", {"error": '{"type": "E", "message": "m"}', "delay": -1}),
    ],
)
async def test_an_answer_that_cannot_be_meant_fails_the_run(store: Store, status: int, code: str, own: Any) -> None:
    app = App("shop")

    @app.function(on="go", retries=0)
    async def work(ctx: Context[Any]) -> None: ...

    async def story(platform: ServedHarness) -> None:
        operation = {"op": code, "id": "0", "stepwell": own}
        body = [operation] if status == 206 else {"name": "E", "message": "m", "stepwell": own}
        headers = {"x-inngest-sdk": "stepwell:v1", "x-inngest-req-version": "1"}

        async def answers(*_: Any) -> Any:
            return reply_of(status, headers, encode(body), 0)

        platform.caller.call = answers  # type: ignore[assignment,method-assign]
        run = await platform.start("go")
        error = await platform.error(run)
        assert error["type"] in ("BadReply", "LimitExceeded"), error

    platform = ServedHarness(store, [app], Settings(retry_interval=1, max_output_bytes=8_000))
    await platform.register_app(app)
    await platform.scheduler.tick()
    await platform.start_worker()
    try:
        await story(platform)
    finally:
        await platform.close()


async def recorded(platform: ServedHarness, run: str, key: str) -> bool:
    """Whether a step has an outcome."""
    return key in await platform.steps(run)


async def test_a_branch_goes_on_while_the_body_of_another_one_executes(store: Store) -> None:
    app, go_on = App("shop"), asyncio.Event()

    @app.function(on="go")
    async def work(ctx: Context[Any]) -> Any:
        async def slow() -> str:
            await go_on.wait()
            return "slow"

        async def quick() -> str:
            await ctx.step.sleep("nap", "10s")
            return await ctx.step.run("after", lambda: "quick")

        return await asyncio.gather(ctx.step.run("slow", slow), quick())

    async def story(platform: ServedHarness) -> None:
        run = await platform.start("go")
        await platform.eventually(lambda: recorded(platform, run, "nap"))
        await platform.advance(10_000)
        await platform.eventually(lambda: recorded(platform, run, "after"))
        go_on.set()
        assert await platform.output(run) == ["slow", "quick"]

    await with_platform(store, app, story)


async def test_a_wait_that_ends_before_its_beginning_is_answered_is_heard_of(store: Store) -> None:
    """Its end comes with the answer to another write, since answers overtake each other."""
    app, armed, written, go_on = App("shop"), asyncio.Event(), asyncio.Event(), asyncio.Event()

    @app.function(on="go")
    async def work(ctx: Context[Any]) -> Any:
        async def slow() -> str:
            await go_on.wait()
            return "slow"

        async def quick() -> str:
            await ctx.step.sleep("nap", "10s")
            return await ctx.step.run("after", lambda: "quick")

        async def beside() -> str:
            await armed.wait()
            return "beside"

        return await asyncio.gather(ctx.step.run("slow", slow), quick(), ctx.step.run("beside", beside))

    async def story(platform: ServedHarness) -> None:
        post = platform.server.post

        async def overtaken(path: str, body: bytes) -> Any:
            answer = await post(path, body)
            if "arm" in decode(body):
                await platform.advance(10_000)
                armed.set()
                await written.wait()
            elif "checkpoint" in decode(body):
                written.set()
            return answer

        platform.server.post = overtaken  # type: ignore[method-assign]
        run = await platform.start("go")
        await platform.eventually(lambda: recorded(platform, run, "after"))
        go_on.set()
        assert await platform.output(run) == ["slow", "quick", "beside"]

    await with_platform(store, app, story)


async def test_a_run_that_is_cancelled_cleans_up(store: Store) -> None:
    app, inside = App("shop"), asyncio.Event()

    @app.function(on="go")
    async def work(ctx: Context[Any]) -> None:
        async def slow() -> None:
            inside.set()
            await asyncio.Event().wait()

        try:
            await ctx.step.run("slow", slow)
        finally:
            await ctx.step.run("tidy", lambda: "tidied")

    async def story(platform: ServedHarness) -> None:
        run = await platform.start("go")
        await inside.wait()
        await platform.cancel(run)
        await platform.until(run, Status.CANCELLED)
        assert (await platform.steps(run))["tidy"].payload == b'"tidied"'

    await with_platform(store, app, story)


async def test_what_its_code_says_is_kept_while_it_runs(store: Store) -> None:
    app, go_on = App("shop"), asyncio.Event()

    @app.function(on="go")
    async def work(ctx: Context[Any]) -> None:
        ctx.log.info("begins", extra={"order": 7})
        ctx.progress(0.5, "half")
        await ctx.step.run("wait", go_on.wait)
        ctx.log.info("ends")

    async def story(platform: ServedHarness) -> None:
        run = await platform.start("go")
        home = platform.home_of(run)

        async def said() -> list[str]:
            page = await log_of(home, run, 0, 10)
            return [line.message for line in page.lines] if page else []

        async def begun() -> bool:
            return await said() == ["begins"] and (await platform.run(run)).progress != b""

        await platform.eventually(begun)
        go_on.set()
        await platform.until(run, Status.COMPLETED)
        assert await said() == ["begins", "ends"]
        assert decode((await platform.run(run)).progress)["value"] == 0.5

    await with_platform(store, app, story)


async def test_an_error_is_recorded_with_its_frames_and_causes(store: Store) -> None:
    app = App("shop")

    @app.function(on="go", retries=0)
    async def work(ctx: Context[Any]) -> None:
        try:
            raise KeyError("inner")
        except KeyError as error:
            raise ValueError("outer") from error

    async def story(platform: ServedHarness) -> None:
        error = await platform.error(await platform.start("go"))
        assert (error["type"], error["message"]) == ("ValueError", "outer")
        assert error["traceback"][-1]["function"].endswith("work")
        assert error["causes"][0]["type"] == "KeyError"

    await with_platform(store, app, story)


# What the server takes from apps.


async def journal(client: httpx2.AsyncClient, run: str, body: Any) -> httpx2.Response:
    """Asks to record something."""
    content = body if isinstance(body, bytes) else encode(body)
    return await client.post(f"/v1/checkpoint/{run}/journal", content=content)


async def test_only_who_has_the_run_records(store: Store) -> None:
    desk = Desk.over(store)
    await desk.register({"id": "work", "triggers": [{"event": "go"}], "retries": {"times": 1}})
    run = await desk.start("go")
    [lease] = await desk.lease("shop/work")
    step: dict[str, Any] = {"key": "a", "kind": "run", "ok": True, "attempts": 1, "took": 0, "payload": "1"}
    async with desk.client() as client:
        mine = {"token": lease.token, "turn": 0}
        first = await journal(client, run, {**mine, "checkpoint": {**step, "payload": "12345678901234567890123"}})
        assert first.json() == {"cancel": False, "news": [], "step": ["a", "run", "done", 1, 1, 0, ""]}
        again = await journal(client, run, {**mine, "checkpoint": {**step, "payload": "2"}})
        assert again.json()["step"][3] == 1
        later = await journal(client, run, {**mine, "checkpoint": {**step, "key": "b", "payload": "2"}})
        assert [row[0] for row in later.json()["news"]] == ["a"]
        assert later.json()["news"][0][6] == "12345678901234567890123"
        assert (await journal(client, run, {"token": "w9:1", "turn": 0, "look": {}})).status_code == 409
        assert (await journal(client, "x" * 26, {**mine, "look": {}})).status_code == 404
        half = {**mine, "checkpoint": {**step, "key": "c", "payload": "{"}}
        wrongs: list[Any] = [b"{", [], {}, {**mine, "arm": {}}, half]
        for wrong in wrongs:
            answer = await journal(client, run, wrong)
            assert (answer.status_code, bool(answer.json()["error"])) == (400, True)
        both = {**mine, "checkpoint": step, "arm": {"key": "z", "kind": "sleep", "delay": 1, "until": None}}
        assert (await journal(client, run, both)).status_code == 400
        wait: dict[str, Any] = {"kind": "wait_for_event", "delay": None, "until": None, "due": "null", "names": []}
        waits = [{"event": "x.*", "match": None, "if": None, "lookback": True}]
        refused = await journal(client, run, {**mine, "wait": {"key": "w", "waits": waits, **wait}})
        assert refused.json()["refused"]["type"] == "InvalidStep"
        assert (await journal(client, run, {**mine, "wait": {"key": "w", "waits": [{}], **wait}})).status_code == 400
        for ages in (10**12, 7 * 10**12):
            assert (await journal(client, run, {**mine, "checkpoint": {**step, "took": ages}})).status_code == 400


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
TEXTS = st.sampled_from(
    ["a", "a|b c", "null", "{}", "[1]", '{"type":"E","message":"m"}', '{"type":1}', "", "\0", "x/y"]
)
NUMBERS = st.sampled_from([0, 1, -1, 10**6, 7 * 10**12, 10**18, 10**30])
FIELDS = {
    **dict.fromkeys(["key", "kind", "payload", "error", "due", "function", "data", "step", "progress"], TEXTS),
    **dict.fromkeys(["attempts", "took", "delay", "until", "seq", "lost"], NUMBERS | st.none()),
    **dict.fromkeys(["ok", "detach"], st.booleans()),
    "kind": st.sampled_from(["run", "send", "sleep", "wait_for_event", "wait_for_any", "invoke", "x y"]),
    "events": st.lists(st.fixed_dictionaries({"name": TEXTS, "data": JSON}), max_size=2),
    "waits": st.lists(
        st.fixed_dictionaries({"event": TEXTS, "match": TEXTS | st.none(), "if": TEXTS, "lookback": st.booleans()}),
        max_size=3,
    ),
    "names": st.lists(TEXTS, max_size=3),
    "lines": st.lists(TEXTS, max_size=2),
}
WRITES = st.sampled_from(["checkpoint", "arm", "retry", "send", "wait", "invoke", "look", "say"])


@settings(max_examples=60, derandomize=True)
@given(st.lists(st.tuples(WRITES, JSON | st.fixed_dictionaries(FIELDS)), min_size=5, max_size=10))
def test_whatever_an_app_records_is_recorded_or_refused(writes: list[tuple[str, Any]]) -> None:
    asyncio.run(_recorded(writes))


async def _recorded(writes: list[tuple[str, Any]]) -> None:
    async with memory_store() as store:
        desk = Desk.over(store)
        await desk.register({"id": "work", "triggers": [{"event": "go"}], "retries": {"times": 1}})
        run = await desk.start("go")
        [lease] = await desk.lease("shop/work")
        async with desk.client() as client:
            for what, write in writes:
                try:
                    body = encode({"token": lease.token, "turn": 0, what: write})
                except UnencodableJSON:
                    continue
                answer = await journal(client, run, body)
                assert answer.status_code in (200, 400), (what, write, answer.text)
            assert (await journal(client, run, {"token": lease.token, "turn": 0, "look": {}})).status_code == 200
        desk.clock.advance(10**9)
        await desk.tick()
        await desk.finish(lease)


@given(WRITES, JSON)
def test_whatever_an_app_is_sent_is_refused_in_words(what: str, write: Any) -> None:
    try:
        body = encode({"stepwell": {what: write}, "events": write})
    except UnencodableJSON:
        return
    answer = asyncio.run(served(shop(), Keys(KEY)).answer(signed(body)))
    assert answer.status == 500
    assert decode(answer.body)["message"]
