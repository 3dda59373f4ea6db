"""Apps of the official SDKs, unchanged, against a real `stepwell dev` and a real `stepwell server`."""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx2
import pytest

from stepwell.client import Client, Event, Run
from tests.redis_servers import Server, free_port, program
from tests.sdk_apps import SdkApp, express_app, python_app, was_taken
from tests.test_cli_dev import Dev
from tests.test_cli_server import Installation

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

PATIENCE = 40.0
SETTINGS = {"STEPWELL_RETRY_INTERVAL": "0.2", "STEPWELL_GATEWAY_HOSTS": "127.0.0.1"}
EVERY = ["fastapi", "flask", "express"]

BOOKS = """
from stepwell.functions import App, Context

app = App("books")


@app.function(on="books/total")
async def total(ctx: Context) -> int:
    return await ctx.step.run("add", sum, ctx.data["prices"])


@app.function(on="books/ask")
async def ask(ctx: Context) -> object:
    return await ctx.step.invoke("ask", f"{ctx.data['app']}/child", {"key": ctx.data["key"], "number": 4})
"""


@dataclass
class Stage:
    """A server, and an app that it knows."""

    server: str
    app: SdkApp
    key: str | None = None

    def client(self) -> Client:
        """Of the server."""
        return Client(self.server, self.key)

    async def send(self, function: str, **data: Any) -> str:
        """Sends the event of a function; the id of the event."""
        async with self.client() as client:
            [event] = await client.send(Event(f"{self.app.id}/{function}", data))
            return event

    async def start(self, function: str, **data: Any) -> Run:
        """Sends the event of a function; the run that it starts."""
        [run] = await self.runs(await self.send(function, **data), 1)
        return run

    async def runs(self, event: str, count: int) -> tuple[Run, ...]:
        """The runs of an event, once there are so many."""
        async with self.client() as client:
            await until(lambda: _as_many(client.events.runs(event), count), self.said)
            return await client.events.runs(event)

    async def end(self, run: Run) -> Run:
        """The run when it has ended."""
        async with self.client() as client:
            try:
                return await client.runs.wait(run.id, timeout=PATIENCE)
            except TimeoutError:
                steps = await client.runs.steps(run.id)
                pytest.fail(f"{await client.runs.get(run.id)} does not end; {steps}; {self.said()}")

    async def finish(self, function: str, **data: Any) -> Run:
        """Starts a run, and gives it when it has ended."""
        return await self.end(await self.start(function, **data))

    async def output(self, function: str, **data: Any) -> Any:
        """What a run that completes has returned."""
        run = await self.finish(function, **data)
        assert run.status == "completed", (run.error, self.said())
        return run.output

    async def waits(self, run: Run) -> None:
        """Returns when the run waits."""
        async with self.client() as client:
            await until(lambda: _has_status(client, run, "waiting"), self.said)

    async def tells(self, key: str, what: str) -> None:
        """Returns when the app has executed it."""

        async def there() -> bool:
            return what in self.app.told(key)

        await until(there, self.said)

    def said(self) -> str:
        """For failures."""
        return f"{self.app.id}: {self.app.said()}"


async def _as_many(asked: Awaitable[tuple[Run, ...]], count: int) -> bool:
    return len(await asked) >= count


async def _has_status(client: Client, run: Run, status: str) -> bool:
    return (await client.runs.get(run.id)).status == status


async def until(holds: Callable[[], Awaitable[bool]], why: Callable[[], str]) -> None:
    """Returns when it holds."""
    try:
        async with asyncio.timeout(PATIENCE):
            while not await holds():  # noqa: ASYNC110 - other processes do it
                await asyncio.sleep(0.05)
    except TimeoutError:
        pytest.fail(why())


@pytest.fixture
def key() -> str:
    """What names the runs of a test in the ledger."""
    return uuid4().hex[:12]


@pytest.fixture(scope="module")
def dev(session_path: Path) -> Generator[Dev]:
    """A `stepwell dev` with a worker's functions, which tries again soon."""
    with running_dev(session_path / "sdk-dev", SETTINGS) as made:
        yield made


@contextmanager
def running_dev(folder: Path, settings: dict[str, str]) -> Generator[Dev]:
    folder.mkdir()
    made = Dev(folder)
    made.code.write_text(BOOKS)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in settings.items():
            patch.setenv(name, value)
        try:
            made.start("app.py").says("functions from app.py")
            yield made
        finally:
            ended(made)


def ended(made: Dev) -> None:
    """Ends all the processes of a `stepwell dev`."""
    for number in made.processes():
        try:
            os.kill(number, signal.SIGKILL)
        except ProcessLookupError:
            continue
    if made.process is not None:
        made.process.wait()


def app_of(id: str, folder: Path, request: pytest.FixtureRequest) -> SdkApp:
    """An app that is not started yet."""
    folder.mkdir()
    return express_app(folder, request.getfixturevalue("express")) if id == "express" else python_app(id, folder)


@contextmanager
def staged(id: str, dev: Dev, folder: Path, request: pytest.FixtureRequest) -> Generator[Stage]:
    """An app that has registered itself with a `stepwell dev`."""
    app = app_of(id, folder, request)
    try:
        app.start({"INNGEST_DEV": dev.url})
        registered(app)
        yield Stage(dev.url, app)
    finally:
        app.stop()


def registered(app: SdkApp) -> None:
    """Has an app register itself."""
    answer = app.register()
    assert was_taken(answer), (answer.text, app.said())


@pytest.fixture(scope="module", params=EVERY)
def stage(dev: Dev, session_path: Path, request: pytest.FixtureRequest) -> Generator[Stage]:
    """An app of each kind in turn."""
    with staged(request.param, dev, session_path / f"sdk-{request.param}", request) as made:
        yield made


@pytest.fixture(scope="module")
def django(dev: Dev, session_path: Path, request: pytest.FixtureRequest) -> Generator[Stage]:
    """The small app on Django."""
    with staged("django", dev, session_path / "sdk-django", request) as made:
        yield made


async def test_each_of_three_steps_is_executed_once(stage: Stage, key: str) -> None:
    run = await stage.finish("three", key=key)
    assert (run.status, run.output) == ("completed", ["a", "b", "c"])
    assert stage.app.told(key) == ["a", "b", "c"]
    async with stage.client() as client:
        steps = await client.runs.steps(run.id)
    assert [(step.status, step.output) for step in steps] == [("completed", id) for id in "abc"]


async def test_a_step_id_may_be_used_again(stage: Stage, key: str) -> None:
    assert await stage.output("again", key=key) == ["turn-0", "turn-1", "turn-2"]
    assert stage.app.told(key) == ["turn-0", "turn-1", "turn-2"]


async def test_a_run_sleeps(stage: Stage, key: str) -> None:
    run = await stage.finish("nap", key=key)
    assert run.output == ["before", "after"]
    assert run.created_at is not None
    assert run.ended_at is not None
    assert run.ended_at - run.created_at >= 300
    assert stage.app.told(key) == ["before", "after"]


async def test_an_event_is_waited_for_that_meets_the_condition(stage: Stage, key: str) -> None:
    run = await stage.start("wait", key=key, patience=120)
    await stage.waits(run)
    await stage.send("approved", key="another", by="bob")
    await stage.send("approved", key=key, by="ann")
    assert (await stage.end(run)).output == "ann"


async def test_an_event_that_does_not_come_is_given_up(stage: Stage, key: str) -> None:
    assert await stage.output("wait", key=key, patience=1) == "nobody"


async def test_a_function_calls_another(stage: Stage, key: str) -> None:
    run = await stage.finish("calls", key=key)
    assert run.output == {"doubled": 42, "event": "inngest/function.invoked"}
    assert stage.app.told(key) == ["double"]
    async with stage.client() as client:
        [step] = await client.runs.steps(run.id)
        assert step.child_id is not None
        assert (await client.runs.get(step.child_id)).parent_id == run.id


async def test_a_function_calls_one_of_a_worker(stage: Stage, key: str) -> None:
    assert await stage.output("abroad", key=key) == 6


async def test_a_function_of_a_worker_calls_one(stage: Stage, key: str) -> None:
    async with stage.client() as client:
        [event] = await client.send(Event("books/ask", {"app": stage.app.id, "key": key}))
    [run] = await stage.runs(event, 1)
    run = await stage.end(run)
    assert (run.status, run.output["doubled"]) == ("completed", 8)
    assert stage.app.told(key) == ["double"]


async def test_that_a_called_function_fails_can_be_caught(stage: Stage, key: str) -> None:
    assert "doomed" in await stage.output("rescued", key=key)


async def test_that_a_called_function_is_not_there_can_be_caught(stage: Stage, key: str) -> None:
    assert "nowhere" in await stage.output("lost", key=key)


async def test_steps_side_by_side_are_executed_once_each(stage: Stage, key: str) -> None:
    parts = await stage.output("parallel", key=key)
    assert [part for part in parts if part is not None] == ["left", "right", "slept", "join"]
    *sides, last = stage.app.told(key)
    assert (sorted(sides), last) == (["left", "right"], "join")


async def test_of_steps_side_by_side_the_one_that_fails_is_tried_again(stage: Stage, key: str) -> None:
    assert await stage.output("shaky", key=key) == ["passed", "steady"]
    assert sorted(stage.app.told(key)) == ["steady", "tried", "tried"]


async def test_in_a_race_no_branch_waits_for_another(stage: Stage, key: str) -> None:
    assert await stage.output("race", key=key) == ["hare-second", "tortoise"]
    assert stage.app.told(key) == ["hare-first", "hare-second", "tortoise"]


async def test_a_step_that_fails_is_tried_again(stage: Stage, key: str) -> None:
    assert await stage.output("flaky", key=key) == ["before", 2]
    assert stage.app.told(key) == ["before", "tried", "tried", "tried"]


async def test_a_body_that_fails_is_tried_again_and_no_step_of_it(stage: Stage, key: str) -> None:
    assert await stage.output("stumble", key=key) == ["before", "after"]
    assert stage.app.told(key) == ["before", "stumbled", "after"]


async def test_a_step_that_fails_for_good_can_be_caught(stage: Stage, key: str) -> None:
    name, message, refund = await stage.output("caught", key=key)
    assert (name in ("ValueError", "TypeError"), message, refund) == (True, "no such card", "refund")
    assert stage.app.told(key) == ["tried", "tried", "refund"]


@pytest.mark.parametrize("function", ["broken", "broken_step"])
async def test_what_must_not_be_tried_again_is_not(stage: Stage, key: str, function: str) -> None:
    run = await stage.finish(function, key=key)
    assert run.status == "failed"
    assert run.error is not None
    assert (run.error.type, run.error.message) == ("NonRetriableError", "the card is blocked")
    assert stage.app.told(key) == ["tried"]


@pytest.mark.parametrize("stage", ["express"], indirect=True)
async def test_a_signal_is_given_to_the_run_that_waits_for_it(stage: Stage, key: str) -> None:
    run = await stage.start("signalled", key=key)
    await stage.waits(run)
    assert (await stage.finish("signaller", key=key)).status == "completed"
    assert (await stage.end(run)).output == {"signal": f"go-{key}", "data": {"by": "ann"}}


async def test_when_to_try_again_is_up_to_the_app(stage: Stage, key: str) -> None:
    run = await stage.finish("later", key=key)
    assert run.output == "served"
    assert run.ended_at is not None
    assert run.created_at is not None
    assert run.ended_at - run.created_at >= 1500
    assert stage.app.told(key) == ["tried", "tried"]


async def test_the_handler_of_failures_is_called(stage: Stage, key: str) -> None:
    run = await stage.finish("doomed", key=key)
    assert (run.status, run.error and run.error.message) == ("failed", "doomed")
    await stage.tells(key, "mourned-doomed")
    assert stage.app.told(key) == ["doomed", "mourned-doomed"]


async def test_a_schedule_starts_a_run(stage: Stage) -> None:
    async with httpx2.AsyncClient(base_url=f"{stage.server}/api/v1", timeout=PATIENCE) as http:
        listed = (await http.get("/schedules")).json()["data"]
        [schedule] = [one["id"] for one in listed if one["function"] == f"{stage.app.id}/tick"]
        answer = await http.post(f"/schedules/{schedule}/run")
    assert answer.is_success, answer.text
    async with stage.client() as client:
        run = await client.runs.wait(answer.json()["data"]["run"], timeout=PATIENCE)
    assert (run.status, run.output) == ("completed", {"event": "inngest/scheduled.timer", "cron": "* * * * *"})


async def test_a_batch_is_one_run(stage: Stage, key: str) -> None:
    events = [await stage.send("batch", key=f"{key}-{number}", shelf=key) for number in range(3)]
    [run] = await stage.runs(events[-1], 1)
    assert (await stage.end(run)).output == [f"{key}-{number}" for number in range(3)]


async def test_of_events_in_a_row_the_last_counts(stage: Stage, key: str) -> None:
    events = [await stage.send("debounce", key=key, number=number) for number in range(3)]
    [run] = await stage.runs(events[-1], 1)
    assert (await stage.end(run)).output == "number-2"
    assert stage.app.told(key) == ["number-2"]


async def test_of_a_key_one_is_executed_at_a_time(stage: Stage, key: str) -> None:
    runs = [await stage.start("narrow", key=key) for _ in range(3)]
    assert {(await stage.end(run)).status for run in runs} == {"completed"}
    assert stage.app.told(key) == ["in", "out"] * 3


async def test_runs_of_a_key_start_at_intervals(stage: Stage, key: str) -> None:
    runs = [await stage.start("throttle", key=key) for _ in range(3)]
    times = sorted([(await stage.end(run)).output for run in runs])
    assert times[2] - times[0] >= 1.5


async def test_a_few_runs_of_a_key_may_start_at_once(stage: Stage, key: str) -> None:
    runs = [await stage.start("burst", key=key) for _ in range(3)]
    assert {(await stage.end(run)).status for run in runs} == {"completed"}


async def test_more_than_the_limit_starts_nothing(stage: Stage, key: str) -> None:
    await stage.finish("limited", key=key)
    event = await stage.send("limited", key=key)
    async with stage.client() as client:
        assert await client.events.wait(event, timeout=PATIENCE) == ()
    assert stage.app.told(key) == ["a"]


async def test_what_is_urgent_goes_first(stage: Stage, key: str) -> None:
    first = await stage.start("urgent", key=key, name="first", urgent=False)
    await stage.tells(key, "first")
    others = [await stage.start("urgent", key=key, name=name, urgent=name == "fire") for name in ("mail", "fire")]
    for run in (first, *others):
        await stage.end(run)
    assert stage.app.told(key) == ["first", "fire", "mail"]


async def test_of_a_key_there_is_a_single_run(stage: Stage, key: str) -> None:
    run = await stage.start("single", key=key)
    await stage.tells(key, "a")
    event = await stage.send("single", key=key)
    async with stage.client() as client:
        assert await client.events.wait(event, timeout=PATIENCE) == ()
    assert (await stage.end(run)).status == "completed"
    assert stage.app.told(key) == ["a", "b"]


async def test_of_a_key_there_is_the_latest_run(stage: Stage, key: str) -> None:
    run = await stage.start("latest", key=key)
    await stage.waits(run)
    latest = await stage.start("latest", key=key)
    assert (await stage.end(run)).status == "cancelled"
    assert (await stage.end(latest)).status == "completed"
    assert stage.app.told(key) == ["a", "a", "b"]


async def test_a_run_that_takes_too_long_is_cancelled(stage: Stage, key: str) -> None:
    run = await stage.finish("hasty", key=key)
    assert (run.status, run.error and run.error.type) == ("cancelled", "Timeout")
    assert stage.app.told(key) == ["a"]


async def test_the_server_asks_a_model_for_a_run(stage: Stage, key: str) -> None:
    answer = await stage.output("inferred", key=key)
    async with stage.client() as client:
        event = await client.events.get(answer["ids"][0])
    assert (event.name, event.data) == (f"{stage.app.id}/asked", {"key": key})


async def test_an_event_cancels_the_run_it_means(stage: Stage, key: str) -> None:
    run, other = await stage.start("cancel", key=key), await stage.start("cancel", key=f"{key}-other")
    for each in (run, other):
        await stage.waits(each)
    await stage.send("withdrawn", key=key)
    assert (await stage.end(run)).status == "cancelled"
    assert stage.app.told(key) == ["a"]
    async with stage.client() as client:
        assert (await client.runs.get(other.id)).status == "waiting"
        await client.runs.cancel(other.id)


async def test_a_key_starts_one_run_a_day(stage: Stage, key: str) -> None:
    await stage.finish("once", key=key)
    event = await stage.send("once", key=key)
    async with stage.client() as client:
        assert await client.events.wait(event, timeout=PATIENCE) == ()
    assert stage.app.told(key) == ["a"]


async def test_an_event_that_steps_send_twice_starts_one_run(stage: Stage, key: str) -> None:
    assert await stage.output("sender", key=key) == [1, 1]
    await stage.tells(key, "told")
    async with stage.client() as client:
        page = await client.runs.list(function=f"{stage.app.id}/told", limit=50)
        runs = [await stage.end(run) for run in page]
    assert runs
    assert stage.app.told(key) == ["told"]


async def test_five_megabytes_of_state_come_back_whole(stage: Stage, key: str) -> None:
    assert await stage.output("bulky", key=key) == ["abcde", 5 << 20]
    assert stage.app.told(key) == list("abcde")


async def test_replies_may_be_streamed(stage: Stage, key: str) -> None:
    if stage.app.id == "flask":
        pytest.skip("the SDK streams no replies on Flask")
    streamed = Stage(stage.server, stage.app.beside(f"{stage.app.id}_streamed", "/api/streamed"))
    registered(streamed.app)
    assert await streamed.output("three", key=key) == ["a", "b", "c"]
    assert await streamed.output("flaky", key=f"{key}-flaky") == ["before", 2]
    assert await streamed.output("parallel", key=f"{key}-parallel") == ["left", "right", "slept", "join"]
    assert (await streamed.finish("broken", key=f"{key}-broken")).status == "failed"
    assert streamed.app.told(key) == ["a", "b", "c"]
    assert streamed.app.told(f"{key}-broken") == ["tried"]


async def test_registering_again_changes_nothing(stage: Stage, key: str) -> None:
    assert stage.app.register().json()["modified"] is False
    assert await stage.output("three", key=key) == ["a", "b", "c"]


@pytest.mark.parametrize("stage", ["express"], indirect=True)
class TestTypeScript:
    """What only the TypeScript SDK has."""

    async def test_what_is_done_first_wins(self, stage: Stage, key: str) -> None:
        assert await stage.output("winner", key=key) == "quick"
        assert stage.app.told(key) == ["quick"]

    async def test_the_server_makes_a_request_for_a_run(self, stage: Stage, key: str) -> None:
        status, answer = await stage.output("fetched", key=key)
        async with stage.client() as client:
            event = await client.events.get(answer["ids"][0])
        assert (status, event.name, event.data) == (200, f"{stage.app.id}/asked", {"key": key})

    async def test_a_step_says_when_to_try_again(self, stage: Stage, key: str) -> None:
        run = await stage.finish("later_step", key=key)
        assert run.output == "served"
        assert run.ended_at is not None
        assert run.created_at is not None
        assert run.ended_at - run.created_at >= 1500
        assert stage.app.told(key) == ["tried", "tried"]


async def test_an_app_on_django(django: Stage, key: str) -> None:
    assert await django.output("three", key=key) == ["a", "b", "c"]
    assert django.app.told(key) == ["a", "b", "c"]
    assert await django.output("nap", key=key) == ["before", "after"]
    assert await django.output("flaky", key=key) == ["before", 2]
    assert await django.output("parallel", key=key) == ["left", "right", "slept", "join"]
    assert (await django.finish("doomed", key=key)).status == "failed"
    await django.tells(key, "mourned-doomed")


OLD, NEW = (f"signkey-test-{number * 32}" for number in ("1a", "2b"))
"""Signing keys: the one that is given up, and the one that is used from now on."""


@dataclass
class Signed:
    """A `stepwell server` that signs what it asks of apps, and has those sign what they ask of it."""

    url: str
    folder: Path

    def app(self, id: str, request: pytest.FixtureRequest, key: str, fallback: str = "", **more: str) -> Stage:
        """An app that has those keys, and runs."""
        app = app_of(id, self.folder / uuid4().hex[:8], request)
        keys = {"INNGEST_SIGNING_KEY": key, "INNGEST_SIGNING_KEY_FALLBACK": fallback}
        served = {"INNGEST_BASE_URL": self.url, "INNGEST_EVENT_KEY": "events", "INNGEST_DEV": "0"}
        request.addfinalizer(app.stop)
        app.start(served | {name: value for name, value in keys.items() if value} | more)
        return Stage(self.url, app, "events")


@pytest.fixture(scope="module")
def signed(session_path: Path) -> Generator[Signed]:
    """One that has a new key, and knows the old one."""
    folder = session_path / "sdk-signed"
    folder.mkdir()
    redis = Server(program("redis"), folder / "redis").start()
    installation = Installation(folder, redis)
    installation.environment |= {
        "STEPWELL_SIGNING_KEY": NEW,
        "STEPWELL_SIGNING_KEY_FALLBACK": OLD,
        "STEPWELL_EVENT_KEYS": "events",
        "STEPWELL_ALLOW_PRIVATE_URLS": "true",
        "STEPWELL_RETRY_INTERVAL": "0.2",
    }
    try:
        installation.start("server", "--port", str(installation.port))
        installation.wait_for_log("server", "server listens")
        yield Signed(installation.url, folder)
    finally:
        installation.stop()
        redis.kill()


@pytest.mark.parametrize("id", ["fastapi", "express"])
async def test_an_app_that_cannot_register_itself_is_added_by_what_it_answers(
    signed: Signed, request: pytest.FixtureRequest, id: str
) -> None:
    nowhere = f"http://127.0.0.1:{free_port()}"
    stage = signed.app(id, request, NEW, INNGEST_API_BASE_URL=nowhere, INNGEST_BASE_URL=nowhere)
    async with httpx2.AsyncClient(timeout=PATIENCE) as client:
        added = await client.post(f"{signed.url}/api/v1/apps", json={"url": stage.app.url})
    assert added.status_code == 200, (added.text, stage.said())
    [app] = added.json()["data"]["apps"]
    assert f"{id}/three" in app["functions"]
    assert app["served"]["url"] == stage.app.url


@pytest.mark.parametrize("id", EVERY)
@pytest.mark.parametrize("keys", [(NEW,), (NEW, OLD), (OLD, NEW)], ids=["new", "new-old", "old-new"])
async def test_calls_are_signed_while_keys_are_changed(
    signed: Signed, request: pytest.FixtureRequest, key: str, id: str, keys: tuple[str, ...]
) -> None:
    stage = signed.app(id, request, *keys)
    registered(stage.app)
    assert await stage.output("three", key=key) == ["a", "b", "c"]
    assert stage.app.told(key) == ["a", "b", "c"]
    assert await stage.output("sender", key=f"{key}-sender") == [1, 1]
    if keys == (OLD, NEW):
        assert await stage.output("bulky", key=f"{key}-bulky") == ["abcde", 5 << 20]


@pytest.mark.parametrize("id", EVERY)
async def test_an_app_with_another_key_cannot_register(signed: Signed, request: pytest.FixtureRequest, id: str) -> None:
    stage = signed.app(id, request, f"signkey-test-{'3c' * 32}")
    answer = stage.app.register()
    assert not was_taken(answer), stage.said()
    assert "signing key" in answer.text


@pytest.mark.parametrize("id", EVERY)
async def test_an_app_that_is_called_by_somebody_else_does_nothing(
    signed: Signed, request: pytest.FixtureRequest, key: str, id: str
) -> None:
    stage = signed.app(id, request, NEW)
    body: dict[str, Any] = {
        "event": {"id": "e", "name": f"{id}/three", "data": {"key": key}, "ts": 1},
        "events": [],
        "steps": {},
    }
    answer = httpx2.post(f"{stage.app.url}?fnId={id}-three&stepId=step", json=body, timeout=PATIENCE)
    assert answer.status_code >= 400
    assert stage.app.told(key) == []
