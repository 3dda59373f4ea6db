"""What is said of a function's runs besides flow control: what cancels them, how long they may take, what starts
only one, and what is called when one has failed."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any, assert_type

import orjson
import pytest

from stepwell.functions import (
    App,
    CancelOn,
    Context,
    DuplicateFunction,
    Function,
    Idempotency,
    InvalidControl,
    InvalidHandler,
    InvalidId,
    RunFailed,
    SyncContext,
    Timeouts,
)
from stepwell.functions.protocol import CancelOnManifest, FunctionManifest, Manifest
from stepwell.functions.replay import Completed, Failed
from tests.functions_journal import Driver


async def fulfil(ctx: Context) -> None: ...


def registered(**controls: Any) -> dict[str, Any]:
    """What the platform is told of a function, without what every function has."""
    app = App("shop")
    app.function(on="order.placed", **controls)(fulfil)
    told: dict[str, Any] = orjson.loads(app.manifest.model_dump_json(exclude_defaults=True))
    assert Manifest.model_validate(told) == app.manifest
    [function] = told["functions"]
    return {key: value for key, value in function.items() if key not in ("id", "triggers", "retries")}


def test_a_function_without_controls_is_registered_without_them() -> None:
    assert registered() == {}
    assert registered(cancel_on=[], timeouts=None) == {}


def test_events_that_cancel_are_registered_with_their_condition_and_time() -> None:
    assert registered(cancel_on=CancelOn("order.cancelled", match="data.id", within="1d")) == {
        "cancel_on": [
            {"event": "order.cancelled", "if": "event.data.id == async.data.id", "within": 86_400_000},
        ]
    }
    both = [CancelOn("shop.closed"), CancelOn("order.cancelled", if_="async.data.all"), CancelOn("shop.closed")]
    assert registered(cancel_on=both) == {
        "cancel_on": [{"event": "shop.closed"}, {"event": "order.cancelled", "if": "async.data.all"}]
    }


def test_no_more_events_cancel_the_runs_of_a_function_than_can_be_registered() -> None:
    events = [CancelOn(f"e{number}") for number in range(65)]
    assert len(registered(cancel_on=[*events[1:], events[1]])["cancel_on"]) == 64
    with pytest.raises(InvalidControl, match="shop/fulfil: cancel_on= has 65 events, and may have 64"):
        registered(cancel_on=events)


def test_timeouts_are_registered_in_milliseconds() -> None:
    assert registered(timeouts=Timeouts(start="1h", finish=timedelta(days=1))) == {
        "timeouts": {"start": 3_600_000, "finish": 86_400_000}
    }
    assert registered(timeouts=Timeouts(finish=0.5)) == {"timeouts": {"finish": 500}}


def test_idempotency_is_a_key_and_a_period() -> None:
    assert registered(idempotency="event.data.id") == {"idempotency": {"key": "event.data.id", "period": 86_400_000}}
    assert registered(idempotency=Idempotency("event.data.id + event.name", period="10m")) == {
        "idempotency": {"key": "event.data.id + event.name", "period": 600_000}
    }


def test_each_control_makes_another_version() -> None:
    def version(**controls: Any) -> str:
        app = App("shop")
        app.function(on="a", **controls)(fulfil)
        return app.version

    every = {
        version(),
        version(cancel_on=CancelOn("b")),
        version(cancel_on=CancelOn("b", match="data.id")),
        version(timeouts=Timeouts(start="1h")),
        version(idempotency="event.data.id"),
        version(on_failure=alert),
    }
    assert len(every) == 6


def test_a_manifest_of_a_newer_version_is_understood() -> None:
    told = {"id": "a", "triggers": [{"event": "a"}], "retries": {"times": 1}, "later": 1}
    manifest = FunctionManifest.model_validate({**told, "cancel_on": [{"event": "b", "if": "true", "later": 1}]})
    assert (manifest.cancel_on, manifest.timeouts) == ([CancelOnManifest(event="b", if_="true")], None)


NOTHING: Any = None
NUMBER: Any = 7
Wrong = Callable[[], object]


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (lambda: CancelOn("order.*"), r"CancelOn\('order\.\*'\): one name, such as 'order\.approved'"),
        (lambda: CancelOn(""), "an event name is text that is not empty"),
        (lambda: CancelOn(NUMBER), "an event name is text that is not empty"),
        (lambda: CancelOn("a", match="id"), 'match is a path both events have, such as "data.id"'),
        (lambda: CancelOn("a", match="data.id", if_="true"), "two ways to say one thing"),
        (lambda: CancelOn("a", if_=""), "if_ is an expression as text"),
        (lambda: CancelOn("a", within="soon"), "CancelOn: within: 'soon' is not a duration"),
        (lambda: CancelOn("a", within=0), "CancelOn: within is longer than nothing, not 0"),
        (lambda: Timeouts(), "write start= or finish= or both"),
        (lambda: Timeouts(start="soon"), "Timeouts: start: 'soon' is not a duration"),
        (lambda: Timeouts(finish="0s"), "Timeouts: finish is longer than nothing, not '0s'"),
        (lambda: Idempotency(""), "Idempotency: key is an expression as text"),
        (lambda: Idempotency("x" * 5000), "of at most 4,096 characters"),
        (lambda: Idempotency(NOTHING), "Idempotency: key is an expression"),
        (lambda: Idempotency("event.id", period="0s"), "Idempotency: period is longer than nothing"),
        (lambda: Idempotency("event.id", NOTHING), "Idempotency: period: a duration is text"),
    ],
)
def test_controls_that_cannot_be_are_refused_where_they_are_written(wrong: Wrong, says: str) -> None:
    with pytest.raises(InvalidControl, match=says):
        wrong()


@pytest.mark.parametrize(
    ("controls", "says"),
    [
        ({"cancel_on": "order.cancelled"}, r'cancel_on= is CancelOn\("order.cancelled", match="data.id"\) or a list'),
        ({"cancel_on": ["order.cancelled"]}, r'cancel_on= is CancelOn\("order.cancelled", match="data.id"\) or a list'),
        ({"cancel_on": 7}, r'cancel_on= is CancelOn\("order.cancelled", match="data.id"\) or a list of them, not 7'),
        ({"timeouts": "1h"}, r'timeouts= is Timeouts\(start="1h", finish="1d"\), not \'1h\''),
        ({"idempotency": 7}, "Idempotency: key is an expression as text"),
    ],
)
def test_and_so_is_what_is_no_control_with_the_name_of_the_function(controls: dict[str, Any], says: str) -> None:
    with pytest.raises(InvalidControl, match=f"^shop/fulfil: {says}"):
        App("shop").function(on="order.placed", **controls)(fulfil)


# When a run has failed

FAILURE = {
    "function_id": "shop-fulfil",
    "function": "shop/fulfil",
    "run_id": "01RUN",
    "event": {"id": "e-1", "name": "order.placed", "data": {"id": "A-1"}, "ts": 7, "received_at": 8},
    "events": [{"id": "e-1", "name": "order.placed", "data": {"id": "A-1"}, "ts": 7}],
    "error": {
        "type": "Declined",
        "message": "no money",
        "traceback": [{"file": "shop.py", "line": 3, "function": "pay"}],
        "name": "Declined",
        "error": "Declined: no money",
        "stack": "",
    },
}


async def alert(ctx: Context[RunFailed]) -> list[Any]:
    failed = ctx.data
    return [failed.function, failed.run_id, failed.error.type, failed.error.message, failed.event.data["id"]]


def alert_in_a_thread(ctx: SyncContext[RunFailed]) -> list[Any]:
    failed = ctx.data
    return [failed.function, failed.run_id, failed.error.type, failed.error.message, failed.event.data["id"]]


async def untyped(ctx: Context) -> list[Any]:
    failed = ctx.data
    error = failed["error"]
    return [failed["function"], failed["run_id"], error["name"], error["message"], failed["event"]["data"]["id"]]


@pytest.mark.parametrize("handler", [alert, alert_in_a_thread, untyped])
async def test_a_handler_of_failures_is_told_all_about_the_run(handler: Any) -> None:
    app = App("shop")
    app.function(on="order.placed", on_failure=handler)(fulfil)
    ending = await Driver(app.functions["fulfil.on_failure"], FAILURE).lease()
    assert isinstance(ending, Completed), ending
    assert orjson.loads(ending.output) == ["shop/fulfil", "01RUN", "Declined", "no money", "A-1"]


@pytest.mark.parametrize("traceback", [None, "in shop.py", [], [{"file": "shop.py", "line": 3, "function": "pay"}]])
async def test_whatever_the_traceback_is_it_is_handed_on(traceback: Any) -> None:
    async def handler(ctx: Context[RunFailed]) -> Any:
        return ctx.data.error.traceback

    app = App("shop")
    app.function(on="order.placed", on_failure=handler)(fulfil)
    error = {"type": "Crashed", "message": "no more", "traceback": traceback}
    ending = await Driver(app.functions["fulfil.on_failure"], {**FAILURE, "error": error}).lease()
    assert isinstance(ending, Completed), ending
    assert orjson.loads(ending.output) == traceback


async def test_data_that_tells_of_no_run_fails_it() -> None:
    app = App("shop")
    app.function(on="order.placed", on_failure=alert)(fulfil)
    ending = await Driver(app.functions["fulfil.on_failure"], {"function": "shop/fulfil"}).lease()
    assert isinstance(ending, Failed), ending
    assert b"the event's data is not what the handler takes: run_id: Field required" in ending.error


def test_it_is_a_function_like_any_other() -> None:
    app = App("shop")
    made = app.function(on="order.placed", id="fulfil", retries=0, on_failure=alert)(fulfil)
    assert_type(made, Function[None])
    assert app.functions["fulfil"] is made
    [_, told] = app.manifest.model_dump(mode="json", exclude_defaults=True)["functions"]
    assert told == {
        "id": "fulfil.on_failure",
        "triggers": [{"event": "inngest/function.failed", "if": "event.data.function == 'shop/fulfil'"}],
        "retries": {"times": 4},
    }


def test_what_type_checkers_take_for_one() -> None:
    app = App("shop")

    async def of_something_else(ctx: Context[int]) -> None: ...

    for number, handler in enumerate((alert, untyped)):
        app.function(on="a", id=f"async-{number}", on_failure=handler)(fulfil)
    app.function(on="a", id="sync", on_failure=alert_in_a_thread)(fulfil)
    app.function(on="a", id="no", on_failure=of_something_else)(fulfil)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    assert [len(one.triggers) for one in app.functions.values()] == [1] * 8


def test_one_handler_may_serve_several_functions() -> None:
    app = App("shop")
    for name in ("one", "two"):
        app.function(on="a", id=name, on_failure=alert)(fulfil)
    assert list(app.functions) == ["one", "one.on_failure", "two", "two.on_failure"]


async def test_its_annotation_may_be_text_with_names_of_the_place_where_the_function_is_defined() -> None:
    class Local(RunFailed):
        pass

    async def handler(ctx: "Context[Local]") -> str:
        return type(ctx.data).__name__

    app = App("shop")
    app.function(on="a", on_failure=handler)(fulfil)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    ending = await Driver(app.functions["fulfil.on_failure"], FAILURE).lease()
    assert isinstance(ending, Completed), ending
    assert orjson.loads(ending.output) == "Local"


def test_an_id_that_is_taken_is_refused_and_nothing_is_registered() -> None:
    app = App("shop")
    app.function(on="a", id="fulfil.on_failure")(fulfil)
    with pytest.raises(DuplicateFunction, match=r"app 'shop' has a function 'fulfil.on_failure' already"):
        app.function(on="a", id="fulfil", on_failure=alert)(fulfil)
    assert list(app.functions) == ["fulfil.on_failure"]


def test_an_id_must_leave_room_for_that_of_its_handler_of_failures() -> None:
    App("shop").function(on="a", id="x" * 53, on_failure=alert)(fulfil)
    with pytest.raises(InvalidId, match=r"with on_failure= a function's id has at most 53 characters"):
        App("shop").function(on="a", id="x" * 54, on_failure=alert)(fulfil)


@pytest.mark.parametrize("handler", [7, RunFailed, lambda: None, App("shop").function(on="a")(fulfil)])
def test_what_is_no_handler_of_failures(handler: Any) -> None:
    with pytest.raises(InvalidHandler, match=r"^shop/fulfil\.on_failure: a handler "):
        App("shop").function(on="a", on_failure=handler)(fulfil)
