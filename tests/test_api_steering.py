"""Steering over HTTP, by our client and by the command line: what is done, and how a refusal is said."""

import asyncio
from collections.abc import AsyncGenerator, Generator
from typing import Any

import httpx2
import orjson
import pytest
from pydantic import BaseModel, SecretStr

from stepwell.client import Client, Event
from stepwell.client.errors import NotFound, Refused
from stepwell.platform.cli import main
from stepwell.platform.engine.owner import Elsewhere
from stepwell.platform.incoming import LATEST
from stepwell.platform.records import Lease
from stepwell.platform.settings import Settings
from stepwell.platform.store.memory import memory_store
from tests.api_desk import Desk, function
from tests.cli_logs import logs_restored

NOBODY = "01KDVDNA0000SS5Q8MFXV5EQ69"
HOUR = 3_600_000
EVENT = b'done null\n{"waits":[{"name":"order.approved"}],"conditions":["async.data.id == event.data.id"]}'
ANY = b'done ["late"]\n{"waits":[{"name":"a"},{"name":"b"}],"conditions":["",""],"names":["yes","no"]}'
INVOKE = b'failed {"type":"Timeout"}\n{"function":"shop/child","detach":false,"run":"%s"}' % NOBODY.encode()
ERROR = b'{"type":"CardDeclined","message":"no money","traceback":[]}'


@pytest.fixture
async def desk() -> AsyncGenerator[Desk]:
    async with memory_store() as store:
        desk = Desk.over(store, Settings(max_output_bytes=1_024, max_event_bytes=1_024, max_run_bytes=1_500))
        await desk.register(function("fulfil"))
        yield desk


@pytest.fixture
async def client(desk: Desk) -> AsyncGenerator[httpx2.AsyncClient]:
    async with desk.client() as client:
        yield client


@pytest.fixture(autouse=True)
def as_from_a_new_shell() -> Generator[None]:
    with logs_restored():
        yield


async def leased(desk: Desk) -> Lease:
    """A run that executes, with one step that is done."""
    await desk.start("order.placed", {"id": "A"})
    [lease] = await desk.lease("shop/fulfil")
    await desk.owner().checkpoint(
        lease.run, lease.token, 1, "charge/1", "run", ok=True, attempts=1, took=2, payload=b'{"paid":true}'
    )
    return lease


async def arm(
    desk: Desk, lease: Lease, key: str, kind: str, payload: bytes = b"", until: int | None = None, child: str = ""
) -> None:
    """A step of it that waits."""
    delay = HOUR if until is None else None
    elsewhere = Elsewhere(child=f"{child} {desk.installation.registry.snapshot.version}" if child else "")
    await desk.owner().arm(
        lease.run, lease.token, 2, key, kind, delay=delay, until=until, payload=payload, elsewhere=elsewhere
    )


async def asleep(desk: Desk) -> str:
    """A run that waits for everything that there is."""
    lease = await leased(desk)
    owner = desk.owner()
    await arm(desk, lease, "nap", "sleep")
    await arm(desk, lease, "approval", "wait_for_event", EVENT, LATEST)
    await arm(desk, lease, "first", "wait_for_any", ANY)
    await arm(desk, lease, "call", "invoke", INVOKE, child=NOBODY)
    await owner.retry_step(lease.run, lease.token, 3, "try", "run", attempts=1, delay=HOUR, took=1, error=ERROR)
    await owner.suspend(lease.run, lease.token, 4, 1)
    return lease.run


async def failed(desk: Desk) -> str:
    """A run that has failed at its second step."""
    lease = await leased(desk)
    owner = desk.owner()
    await owner.checkpoint(lease.run, lease.token, 2, "ship", "run", ok=False, attempts=1, took=2, payload=ERROR)
    await owner.finish(lease.run, lease.token, 3, "failed", ERROR, b'["old"]')
    return lease.run


async def post(client: httpx2.AsyncClient, run: str, verb: str, body: Any = None) -> httpx2.Response:
    """What an action answers."""
    return await client.post(f"/api/v1/runs/{run}/{verb}", content=b"" if body is None else orjson.dumps(body))


async def done(client: httpx2.AsyncClient, run: str, verb: str, body: Any = None) -> dict[str, Any]:
    """The run that an action answers."""
    answer = await post(client, run, verb, body)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()["data"]
    return found


async def steps(client: httpx2.AsyncClient, run: str) -> dict[str, Any]:
    """The steps of a run by key."""
    return {step["id"]: step for step in (await client.get(f"/api/v1/runs/{run}/steps")).json()["data"]}


async def test_a_run_is_done_again(client: httpx2.AsyncClient, desk: Desk) -> None:
    first = await failed(desk)
    desk.clock.advance(5_000)
    again = await done(client, first, "rerun")
    assert (again["rerun_of"], again["status"], again["event_name"]) == (first, "queued", "order.placed")
    assert again["created_at"] == desk.clock.now()
    assert (again["versions"], again["drift"]) == ([], [])
    [listed, _] = (await client.get("/api/v1/runs")).json()["data"]
    assert (listed["id"], listed["rerun_of"]) == (again["id"], first)
    event = (await client.get(f"/api/v1/events/{again['event_id']}")).json()["data"]
    assert event["runs"] == [first, again["id"]]
    other = await done(client, first, "rerun", {"input": {"id": "B"}})
    event = (await client.get(f"/api/v1/events/{other['event_id']}")).json()["data"]
    assert (event["name"], event["data"], event["runs"]) == ("order.placed", {"id": "B"}, [other["id"]])


async def test_a_run_is_done_again_from_a_step(client: httpx2.AsyncClient, desk: Desk) -> None:
    first = await failed(desk)
    again = await done(client, first, "rerun", {"from_step": "ship"})
    assert list(await steps(client, again["id"])) == ["charge/1"]
    given = await done(client, first, "rerun", {"from_step": "ship", "output": None})
    kept = await steps(client, given["id"])
    assert (kept["charge/1"]["output"], kept["ship"]["status"], kept["ship"]["error"]) == (
        {"paid": True},
        "completed",
        None,
    )


async def test_the_same_request_makes_one_run(client: httpx2.AsyncClient, desk: Desk) -> None:
    first = await failed(desk)
    order = {"from_step": "ship", "request": "my own"}
    made = [await done(client, first, "rerun", order) for _ in range(3)]
    assert len({run["id"] for run in made}) == 1
    assert len((await client.get("/api/v1/runs")).json()["data"]) == 2
    assert (await done(client, first, "rerun", {"request": "another"}))["id"] != made[0]["id"]


async def test_what_a_run_waits_for_is_shown_and_resolved(client: httpx2.AsyncClient, desk: Desk) -> None:
    run = await asleep(desk)
    shown = (await client.get(f"/api/v1/runs/{run}")).json()["data"]
    waits = {wait["step"]: wait for wait in shown["waiting_on"]}
    assert list(waits)[-1] == "approval", "what may take for ever comes last"
    assert waits["approval"]["until"] is None
    [sought] = waits["approval"]["events"]
    assert sought == {"name": "order.approved", "condition": "async.data.id == event.data.id", "entry": None}
    assert [(event["name"], event["entry"]) for event in waits["first"]["events"]] == [("a", "yes"), ("b", "no")]
    assert (waits["call"]["child_id"], waits["call"]["function"]) == (NOBODY, "shop/child")
    kept = await steps(client, run)
    assert (kept["approval"]["wakes_at"], kept["approval"]["events"]) == (None, [sought])
    assert (kept["call"]["child_id"], kept["nap"]["child_id"]) == (NOBODY, None)

    answered = await done(client, run, "resolve", {"step": "approval", "output": {"data": {"by": "Ada"}}})
    assert answered["status"] == "queued"
    await done(
        client,
        run,
        "resolve",
        {"step": "first", "output": {"name": "no", "event": {"id": "x", "ts": 1_700_000_000_000}}},
    )
    await done(client, run, "resolve", {"step": "call", "error": {"message": "never mind"}})
    await done(client, run, "wake", {"step": "nap"})
    await done(client, run, "retry", {"step": "try"})
    kept = await steps(client, run)
    event = kept["approval"]["output"]
    assert (event["name"], event["data"], event["ts"]) == ("order.approved", {"by": "Ada"}, desk.clock.now())
    assert kept["first"]["output"] == ["no", {"id": "x", "name": "b", "data": {}, "ts": 1_700_000_000_000}]
    assert (kept["call"]["error"]["type"], kept["call"]["child_id"]) == ("Resolved", NOBODY)
    assert (kept["nap"]["status"], kept["try"]["status"], kept["try"]["wakes_at"]) == ("completed", "retrying", None)


async def test_a_function_is_tried_again_at_once(client: httpx2.AsyncClient, desk: Desk) -> None:
    lease = await leased(desk)
    await desk.owner().retry_body(lease.run, lease.token, 2, delay=HOUR, error=ERROR)
    assert (await done(client, lease.run, "retry"))["status"] == "queued"
    [again] = await desk.lease("shop/fulfil")
    assert (again.run, again.attempt) == (lease.run, 1)


@pytest.mark.parametrize(
    ("verb", "body", "status", "said"),
    [
        ("retry", None, 409, "the function is not about to be tried again"),
        ("retry", {"step": "nap"}, 409, "step 'nap' is not about to be tried again"),
        ("retry", {"step": "gone"}, 404, "the run has no step 'gone' Its recorded steps: approval, call, charge/1"),
        ("retry", {"stepp": "nap"}, 422, "stepp: Extra inputs are not permitted The fields of this body: step"),
        ("wake", {}, 422, "step: Field required"),
        ("wake", {"step": "charge/1"}, 409, "step 'charge/1' does not wait any more The run shows"),
        ("wake", {"step": "approval"}, 409, "waits without a timeout Resolve it"),
        ("wake", {"step": "try"}, 409, "waits for nothing else Retry it"),
        ("resolve", {"step": "nap", "output": 1}, 409, "step 'nap' is a sleep, which has no output Wake it"),
        ("resolve", {"step": "nap", "error": {"message": "m"}}, 409, "a sleep, which cannot fail Wake it"),
        ("resolve", {"step": "try", "output": 1}, 409, "waits for nothing else Retry it"),
        ("resolve", {"step": "call"}, 422, "takes either an output or an error"),
        ("resolve", {"step": "call", "error": {}}, 422, "message: Field required An error is"),
        ("resolve", {"step": "call", "output": "x" * 1_100}, 422, "1,102 bytes; the limit is 1,024"),
        ("resolve", {"step": "approval", "output": []}, 422, "what was given: it is no JSON object An event is"),
        ("resolve", {"step": "first", "output": {"name": "yes", "event": 7}}, 422, "event: it is no JSON object What"),
        ("resolve", {"step": "approval", "output": {"ts": -5}}, 422, "the event: ts -5 is not between 1980 and 2100"),
        ("resolve", {"step": "approval", "output": {"ts": 10**18}}, 422, "is not between 1980 and 2100"),
        ("resolve", {"step": "approval", "output": {"id": "x" * 513}}, 422, "the event: id has 513 bytes"),
        ("resolve", {"step": "approval", "output": {"name": "n" * 513}}, 422, "the event: name has 513 bytes"),
        ("resolve", {"step": "approval", "output": {"name": " "}}, 422, "the event: name is an empty text"),
        ("resolve", {"step": "approval", "output": {"name": "inngest/x"}}, 422, "kept for the platform's own"),
        ("resolve", {"step": "first", "output": {"name": "yes", "event": {"ts": 7}}}, 422, "is it in seconds?"),
        ("rerun", {"from_step": "approval", "output": {"ts": 7}}, 422, "the event: ts 7 is not between"),
        ("resolve", {"step": "first", "output": {"name": "maybe"}}, 422, "It waits for yes, no, late"),
        ("rerun", {"output": 1}, 422, "not of which step"),
        ("rerun", {"from_step": "nap", "output": 1}, 422, "a sleep, which has no output Give null"),
        ("rerun", {"from_step": "x"}, 404, "has no step 'x'"),
        ("rerun", {"request": "x" * 129}, 422, "a request has 1 to 128 characters, not 129"),
        ("rerun", {"input": []}, 422, "input: Input should be a valid dictionary"),
        ("rerun", {"input": {"x": "x" * 1_100}}, 422, "the limit is 1,024"),
        ("rerun", [], 422, "the body is no JSON object The fields of this body: input, from_step, output, request"),
    ],
)
async def test_a_refusal_says_why_and_changes_nothing(
    client: httpx2.AsyncClient, desk: Desk, verb: str, body: Any, status: int, said: str
) -> None:
    run = await asleep(desk)
    before = await steps(client, run)
    answer = await post(client, run, verb, body)
    assert answer.status_code == status, answer.text
    error = answer.json()["error"]
    assert said in f"{error['message']} {error['hint']}"
    assert await steps(client, run) == before
    assert len((await client.get("/api/v1/runs")).json()["data"]) == 1


@pytest.mark.parametrize(
    ("step", "given", "other"),
    [
        ("approval", {"output": {"data": {"n": 1}}}, {"output": {"data": {"n": 2}}}),
        ("approval", {"output": {"data": {}, "id": "a"}}, {"output": {"data": {}, "id": "b"}}),
        ("approval", {"output": None}, {"output": {}}),
        ("first", {"output": {"name": "yes", "event": {}}}, {"output": {"name": "yes", "event": {"data": {"n": 1}}}}),
        ("first", {"output": {"name": "late"}}, {"output": {"name": "no", "event": {}}}),
        ("call", {"output": [1, "é"]}, {"output": [1]}),
        ("call", {"error": {"message": "no"}}, {"error": {"message": "yes"}}),
        ("call", {"error": {"message": "no"}}, {"output": "no"}),
    ],
)
async def test_a_wait_that_is_resolved_twice_alike_is_resolved(
    client: httpx2.AsyncClient, desk: Desk, step: str, given: dict[str, Any], other: dict[str, Any]
) -> None:
    run = await asleep(desk)
    await done(client, run, "resolve", {"step": step} | given)
    before = await steps(client, run)
    desk.clock.advance(1_000)
    await done(client, run, "resolve", {"step": step} | given)
    for refused in (other, {}):
        answer = await post(client, run, "resolve", {"step": step} | refused)
        assert (answer.status_code, answer.json()["error"]["code"]) == (409, "not_now")
        assert "does not wait any more" in answer.text
    assert await steps(client, run) == before


@pytest.mark.parametrize("step", ["nap", "first", "call"])
async def test_a_wait_that_is_woken_twice_is_awake(client: httpx2.AsyncClient, desk: Desk, step: str) -> None:
    run = await asleep(desk)
    await done(client, run, "wake", {"step": step})
    before = await steps(client, run)
    desk.clock.advance(1_000)
    await done(client, run, "wake", {"step": step})
    assert await steps(client, run) == before


@pytest.mark.parametrize(
    ("step", "given"),
    [
        ("approval", {"output": {}}),
        ("first", {"output": {"name": "yes", "event": {}}}),
        ("call", {"output": None}),
        ("call", {"error": {"message": "no"}}),
    ],
)
async def test_a_wait_that_has_ended_otherwise_is_not_woken(
    client: httpx2.AsyncClient, desk: Desk, step: str, given: dict[str, Any]
) -> None:
    run = await asleep(desk)
    await done(client, run, "resolve", {"step": step} | given)
    assert "does not wait any more" in (await post(client, run, "wake", {"step": step})).json()["error"]["message"]


async def test_a_step_that_is_to_be_tried_again_now_stays_so(client: httpx2.AsyncClient, desk: Desk) -> None:
    run = await asleep(desk)
    await done(client, run, "retry", {"step": "try"})
    before = await steps(client, run)
    desk.clock.advance(1_000)
    await done(client, run, "retry", {"step": "try"})
    assert await steps(client, run) == before
    await desk.installation.runs_at(run).cancel(run)
    assert (await post(client, run, "retry", {"step": "try"})).status_code == 409


async def test_a_retry_of_the_function_names_the_steps_that_can_be_tried_again(
    client: httpx2.AsyncClient, desk: Desk
) -> None:
    lease = await leased(desk)
    owner = desk.owner()

    async def hint() -> str:
        return str((await post(client, lease.run, "retry")).json()["error"]["hint"])

    assert await hint() == "The run shows what it waits for as waiting_on"
    await owner.retry_step(lease.run, lease.token, 2, "ship", "run", attempts=1, delay=HOUR, took=1, error=ERROR)
    assert await hint() == "Step 'ship' is: name it, with `--step` or as {\"step\": …}"
    await owner.retry_step(lease.run, lease.token, 3, "tell", "run", attempts=1, delay=HOUR, took=1, error=ERROR)
    assert await hint() == "Steps 'ship', 'tell' are: name one of them, with `--step` or as {\"step\": …}"
    for number in range(10):
        await owner.retry_step(
            lease.run, lease.token, 4 + number, f"z{number}", "run", attempts=1, delay=HOUR, took=1, error=ERROR
        )
    assert "'z7' and 2 more are: " in await hint()
    await desk.installation.runs_at(lease.run).cancel(lease.run)
    await desk.tick()


@pytest.mark.parametrize("verb", ["rerun", "retry", "wake", "resolve"])
async def test_a_run_that_is_not_there_and_a_body_that_is_no_json(client: httpx2.AsyncClient, verb: str) -> None:
    answer = await post(client, NOBODY, verb, {"step": "nap"} if verb != "rerun" else None)
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")
    answer = await client.post(f"/api/v1/runs/{NOBODY}/{verb}", content=b"{")
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_json")


async def test_a_body_that_is_nested_too_deep_is_refused(client: httpx2.AsyncClient, desk: Desk) -> None:
    run = await failed(desk)
    answer = await client.post(
        f"/api/v1/runs/{run}/rerun", content=b'{"input": {"x": ' + b"[" * 300 + b"]" * 300 + b"}}"
    )
    assert answer.status_code == 422, answer.text
    assert "nested too deep" in answer.text


async def test_a_function_that_nobody_serves_any_more(client: httpx2.AsyncClient, desk: Desk) -> None:
    run = await failed(desk)
    await desk.register(function("other"), version="2")
    answer = await post(client, run, "rerun")
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "not_now")
    assert "no function 'shop/fulfil' is registered" in answer.text


async def test_the_state_of_a_rerun_has_a_limit(client: httpx2.AsyncClient, desk: Desk) -> None:
    lease = await leased(desk)
    owner = desk.owner()
    for index in range(4):
        payload = orjson.dumps("x" * 400)
        await owner.checkpoint(
            lease.run, lease.token, 2 + index, f"s{index}", "run", ok=True, attempts=1, took=1, payload=payload
        )
    answer = await post(client, lease.run, "rerun", {"from_step": "s3", "output": "y" * 900})
    assert answer.status_code == 422
    assert "the limit is 1,500" in answer.text


async def test_the_drift_of_a_run_and_its_versions_show(client: httpx2.AsyncClient, desk: Desk) -> None:
    run = await failed(desk)
    shown = (await client.get(f"/api/v1/runs/{run}")).json()["data"]
    assert (shown["version"], shown["versions"], shown["drift"]) == ("1", ["1"], ["old"])


async def test_steering_needs_a_key_and_no_page_of_another_site() -> None:
    async with memory_store() as store:
        desk = Desk.over(store, Settings(api_keys=(SecretStr("k" * 32),), event_keys=(SecretStr("e" * 32),)))
        await desk.register(function("fulfil"))
        run = await failed(desk)
        async with desk.client(dev=False) as client:
            for verb in ("rerun", "retry", "wake", "resolve"):
                assert (await post(client, run, verb, {})).status_code == 401
                path, headers = f"/api/v1/runs/{run}/{verb}", {"Origin": "https://evil.example"}
                assert (await client.post(path, headers=headers)).status_code == 403


class Order(BaseModel):
    id: str


async def test_our_client_steers(desk: Desk) -> None:
    async with desk.serving() as server, Client(server.url) as client:
        first = await failed(desk)
        again = await client.runs.rerun(first, from_step="ship", output={"sent": True})
        assert (again.rerun_of, again.status) == (first, "queued")
        assert [step.output for step in await client.runs.steps(again.id)] == [{"paid": True}, {"sent": True}]
        edited = await client.runs.rerun(first, data=Order(id="C"))
        assert edited.event_id
        assert (await client.events.get(edited.event_id)).data == {"id": "C"}
        with pytest.raises(ValueError, match="JSON cannot carry this"):
            await client.runs.rerun(first, data={"x": object()})
        await client.runs.cancel(again.id)
        await client.runs.cancel(edited.id)
        run = await asleep(desk)
        await client.runs.wake(run, "nap")
        await client.runs.retry(run, "try")
        await client.runs.resolve(run, "approval", None)
        await client.runs.resolve(run, "call", error={"type": "Nope", "message": "no"})
        found = {step.id: step for step in await client.runs.steps(run)}
        assert (found["approval"].status, found["approval"].output) == ("completed", None)
        assert (found["call"].status, found["call"].child_id) == ("failed", NOBODY)
        await client.runs.wake(run, "nap")
        with pytest.raises(Refused, match="does not wait any more"):
            await client.runs.wake(run, "charge/1")
        with pytest.raises(NotFound):
            await client.runs.rerun(NOBODY)
        [event] = await client.send([Event("order.placed", {"id": "D"})])
        assert len((await client.events.get(event)).runs) == 1


async def test_the_command_line_steers(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    async with desk.serving() as server:

        async def said(*words: str, code: int = 0) -> str:
            assert await asyncio.to_thread(main, ["runs", *words, "--url", server.url]) == code
            printed = capsys.readouterr()
            return printed.err if code else printed.out

        first = await failed(desk)
        again = orjson.loads(await said("rerun", first, "--json"))
        assert again["rerun_of"] == first
        line = await said("rerun", first, "--input", '{"id": "B"}', "--from-step", "ship", "--output", "1")
        assert f" does {first} again; `stepwell runs watch " in line
        assert "--output is not JSON" in await said("rerun", first, "--output", "{", code=2)
        assert "not of which step" in await said("rerun", first, "--output", "1", code=2)
        shown = await said("show", again["id"])
        assert ["rerun", "of", first] in [line.split() for line in shown.splitlines()]
        shown = await said("show", first)
        assert "recorded, and not asked for any more: old" in shown
        for run in orjson.loads(await said("list", "--status", "queued", "--json"))["data"]:
            await desk.installation.runs_at(run["id"]).cancel(run["id"])

        run = await asleep(desk)
        shown = await said("show", run)
        assert "wait_for_event approval: order.approved if async.data.id == event.data.id\n" in shown
        assert "wait_for_any first: a or b until " in shown
        assert f"invoke call: run {NOBODY} of shop/child until " in shown
        assert await said("resolve", run, "approval", '{"data": {}}') == "approval is resolved; the run is queued\n"
        assert await said("resolve", run, "call", '{"message": "no"}', "--failed")
        assert await said("wake", run, "nap") == "nap is awake; the run is queued\n"
        assert await said("retry", run, "--step", "try") == "try is tried again; the run is queued\n"
        assert "the function is not about to be tried again" in await said("retry", run, code=2)
        await desk.installation.runs_at(run).cancel(run)
        run = await asleep(desk)
        assert "Step 'try' is: name it, with `--step`" in await said("retry", run, code=2)
