"""An app that answers anything: no answer keeps a run from ending, waiting for something, or being tried again."""

import asyncio
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest
import structlog
from hypothesis import given, settings
from hypothesis import strategies as st

from stepwell.platform.codec import encode
from stepwell.platform.executor.remote import circuit
from stepwell.platform.records import RunRecord, Status
from stepwell.platform.settings import Settings
from stepwell.platform.store.memory import memory_store
from stepwell.platform.wire.keys import wire_id
from tests.remote_desk import SDK, Answer, RemoteDesk, Told, sequence

MOST_CALLS = 400
"""Of a run with so few steps and tries; what comes to more spins."""
MOST_STEPS = 20
ROUNDS = 60
"""Times that a run may wait for something, and go on."""
YEAR = 366 * 86_400_000
OPEN = Status.QUEUED, Status.RUNNING

DEEP = st.sampled_from([100, 249, 260, 1_000, 2_000]).map(lambda depth: b"[" * depth + b"]" * depth)
KEYS = st.sampled_from(
    ["a", "b", "a b", "a|b", "a\nb", "a\0b", "~", "!", " ", "%", "|", "k" * 256, wire_id("a"), "ä" * 128, "step", "-"]
)
NUMBERS = st.sampled_from([b"0", b"-1", b"1e308", b"-1e300", b"1e999", b"NaN", b"1" * 40, b"9007199254740993", b"0.5"])
TIMES = st.sampled_from(
    [
        *("1s", "0s", "1h", "", " ", "soon", "-1s", "1e5s", "99999999w", "9" * 400 + "w", "1901-01-01", "2300-01-01"),
        *("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2026-02-30", "2090-01-01T00:00:00Z", "\0"),
    ]
)
NAMES = st.sampled_from(["pay", "approved", "", " ", "a b;c", "a\n|b", "x" * 600, "inngest/x", "a.*", "\0", "shop-pay"])
CONDITIONS = st.sampled_from(
    ["", "1 +", "event.data.id == async.data.id", "async.data.x > 1", "(" * 400, "event.data.no.such == async.data.y"]
)


def json_of(text: str) -> bytes:
    """A text as JSON."""
    return encode(text)


def texts(strategy: st.SearchStrategy[str]) -> st.SearchStrategy[bytes]:
    """JSON of texts."""
    return strategy.map(json_of)


def objects(fields: Mapping[str, st.SearchStrategy[bytes]]) -> st.SearchStrategy[bytes]:
    """JSON objects with some of the fields."""
    made = st.fixed_dictionaries({}, optional=dict(fields))
    return made.map(lambda values: b"{%s}" % b",".join(json_of(name) + b":" + value for name, value in values.items()))


ODD = st.one_of(
    st.sampled_from([b"null", b"true", b"[]", b"{}", b'""', b'"\\ud800"', b'"\\u0000 |"', b"[[[]]]", b'"text"']),
    NUMBERS,
    DEEP,
    texts(TIMES | NAMES | KEYS),
)
OPTIONS = objects(
    {
        "duration": ODD | texts(TIMES),
        "event": ODD | texts(NAMES),
        "timeout": ODD | texts(TIMES),
        "if": ODD | texts(CONDITIONS),
        "function_id": ODD | texts(NAMES),
        "payload": ODD | objects({"data": ODD | objects({"id": ODD})}),
        "parallelMode": st.just(b'"race"') | ODD,
    }
)
CODES = st.sampled_from(
    [
        *("StepRun", "StepError", "StepFailed", "StepPlanned", "Sleep", "WaitForEvent", "InvokeFunction"),
        *("RunComplete", "DiscoveryRequest", "StepNotFound", "None", "", "Gateway", "StepRun ", "Step"),
    ]
)


@st.composite
def operations(draw: st.DrawFn) -> bytes:
    """One operation about one of few steps, as odd as may be."""
    key = draw(KEYS)
    fields = {
        "op": draw(texts(CODES)),
        "id": json_of(wire_id(key)),
        "name": draw(texts(TIMES | NAMES) | ODD),
        "opts": draw(OPTIONS | ODD),
        "data": draw(ODD),
        "error": draw(ODD | objects({"name": ODD, "message": ODD, "stack": ODD})),
        "userland": draw(objects({"id": st.just(json_of(key)), "index": ODD})),
        "timing": draw(ODD | objects({"a": ODD, "b": ODD})),
    }
    for name in draw(st.sets(st.sampled_from(sorted(fields)), max_size=2)):
        fields[name] = draw(ODD)
    return b"{%s}" % b",".join(json_of(name) + b":" + value for name, value in fields.items())


HEADERS = st.fixed_dictionaries(
    {},
    optional={
        "x-inngest-req-version": st.sampled_from(["2", "1", "-1", "\u00b2", "9" * 30, "", "999"]),
        "x-inngest-no-retry": st.sampled_from(["true", "false", "TRUE", "1"]),
        "retry-after": st.sampled_from(
            ["1", "0", "\u00b2", "-5", "9" * 400, "nan", "0001-01-01", "Mon, 1", "2030-01-01"]
        ),
        "location": st.sampled_from(["http://169.254.169.254/", "\udcff", "/"]),
        "content-type": st.sampled_from(["text/html", "\udce4/\udcff", ""]),
        "x-inngest-sdk": st.sampled_from(["inngest-js:v4", "\udce4", ""]),
    },
)
REPORTS = st.lists(operations() | ODD, max_size=4).map(lambda items: b"[%s]" % b",".join(items))
MANY = operations().map(lambda one: b"[%s]" % b",".join([one] * 1_001))
BODIES = st.one_of(REPORTS, operations(), ODD, st.binary(max_size=40), MANY)
STREAMED = st.one_of(
    objects(
        {"status": st.sampled_from([b"200", b"206", b"true", b"201", b'"200"']) | ODD, "headers": ODD, "body": ODD}
    ),
    REPORTS.map(lambda body: b'  {"status":206,"headers":{"Retry-After":[1]},"body":%s}' % json_of(body.decode())),
)


@st.composite
def answers(draw: st.DrawFn) -> Answer:
    """What an app answers: in the form of an SDK most of the time."""
    status = draw(st.sampled_from([206] * 12 + [200, 200, 500, 400, 302, 404, 502, 429, 100, 999, 0]))
    if draw(st.integers(0, 9)) == 0:
        return 201, SDK | draw(HEADERS), draw(STREAMED)
    known = SDK if draw(st.integers(0, 9)) else {}
    return status, known | draw(HEADERS), draw(BODIES)


class Wedged(AssertionError):
    """A run does not go on."""


async def followed(desk: RemoteDesk, run: str) -> RunRecord:
    """The run when it has ended, or waits for what comes by itself at no time that is near."""
    for _ in range(ROUNDS):
        record = await settled(desk, run)
        if record.status.ended:
            return record
        assert await due(desk, run) > 0, f"it waits for nothing: {await desk.steps(run)}"
        for _ in range(2):  # children, too
            await desk.advance(YEAR)
            await desk.waits.errands.empty()
    return await desk.run(run)


async def settled(desk: RemoteDesk, run: str) -> RunRecord:
    """The run when it has nothing to do."""
    for _ in range(5_000):
        record = await desk.run(run)
        if record.status not in OPEN:
            return record
        if len(desk.caller.calls) > MOST_CALLS:
            raise Wedged(f"it calls again and again: {desk.caller.calls[-1].body}")
        await asyncio.sleep(0.001)
    raise Wedged(f"it is {(await desk.run(run)).status}")


async def due(desk: RemoteDesk, run: str) -> int:
    """When something comes that the run waits for."""
    [partition] = desk.partitions
    flat = await partition.read("ZRANGE", partition.keys.name("k_timers"), "0", "-1", "WITHSCORES")
    timers = dict(zip(flat[::2], flat[1::2], strict=True))
    return int(min((float(at) for name, at in timers.items() if name.decode().startswith(run)), default=0))


@contextmanager
def quick_circuit() -> Generator[None]:
    """An app that is away is called again at once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(circuit, "SHORTEST", 0.001)
        patch.setattr(circuit, "LONGEST", 0.002)
        yield


async def survives(replies: list[Answer], *, again: bool) -> None:
    """A run whose app answers these, over and over or once each, and a healthy one beside it."""
    unhandled: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: unhandled.append(context))

    def app(told: Told) -> Answer:
        if told.body["event"]["data"].get("healthy"):
            return sequence("a", "b")(told)
        number = len(desk.caller.calls)
        return replies[number % len(replies)] if again or number < len(replies) else sequence("a", "b")(told)

    limits = Settings(retry_interval=1, max_steps=MOST_STEPS)
    async with memory_store() as store:
        desk: RemoteDesk
        with structlog.testing.capture_logs() as logs, quick_circuit():
            async with RemoteDesk.open(store, app, limits) as desk:
                run = await desk.start("pay", {"id": 1})
                healthy = await desk.start("pay", {"healthy": True})
                record = await followed(desk, run)
                assert await desk.output(healthy) == ["a done", "b done"]
                if record.status is Status.FAILED:
                    error = await desk.error(run)
                    assert error["type"]
                    assert error["message"] or any(status >= 400 for status, _, _ in replies)
                for one in (run, healthy):
                    await desk.cancel(one)
                    await desk.until(one, Status.COMPLETED, Status.FAILED, Status.CANCELLED)
                await end_all(desk)
    assert [
        entry for entry in logs if entry["event"] in ("run_not_executed", "app_not_served", "answer_not_handled")
    ] == []
    assert unhandled == []


async def end_all(desk: RemoteDesk) -> None:
    """Ends what was invoked."""
    for _ in range(20):
        [partition] = desk.partitions
        open_runs = [
            name.decode()
            for name in await partition.read("ZRANGE", partition.keys.name("k_runs_of", "shop/pay"), "0", "-1")
            if not (await desk.run(name.decode())).status.ended
        ]
        if not open_runs:
            return
        for one in open_runs:
            await desk.cancel(one)
        await desk.eventually_idle()


@settings(max_examples=60, derandomize=True)
@given(st.lists(answers(), min_size=1, max_size=6), st.booleans())
def test_no_answer_keeps_a_run_from_going_on(replies: list[Answer], again: bool) -> None:
    asyncio.run(survives(replies, again=again))
