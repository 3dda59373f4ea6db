"""Flow control as it is written: what the platform is told, what is refused, and what the handler of a batch sees."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any, assert_type

import orjson
import pytest
from pydantic import BaseModel, ValidationError

from stepwell.functions import (
    App,
    Batch,
    CancelOn,
    Concurrency,
    Context,
    Debounce,
    DefinitionError,
    Fairness,
    Function,
    Idempotency,
    InvalidControl,
    Priority,
    RateLimit,
    RunFailed,
    Singleton,
    SyncContext,
    Throttle,
    Timeouts,
    cron,
    event,
)
from stepwell.functions.protocol import (
    BatchManifest,
    ConcurrencyManifest,
    DebounceManifest,
    FunctionManifest,
    Manifest,
    RateLimitManifest,
    ThrottleManifest,
)
from stepwell.functions.replay import Completed, Ending, Execution, Failed, Start
from tests.functions_journal import Driver, MemoryJournal

DAY = 86_400_000


async def fulfil(ctx: Context) -> None: ...


def defined(**controls: Any) -> App:
    app = App("shop")
    app.function(on="order.placed", **controls)(fulfil)
    return app


def registered(**controls: Any) -> dict[str, Any]:
    """What the platform is told of a function, without what every function has."""
    app = defined(**controls)
    told: dict[str, Any] = orjson.loads(app.manifest.model_dump_json(exclude_defaults=True))
    assert Manifest.model_validate(told) == app.manifest
    [function] = told["functions"]
    return {key: value for key, value in function.items() if key not in ("id", "triggers", "retries")}


# What is registered


@pytest.mark.parametrize(
    ("controls", "told"),
    [
        ({"throttle": Throttle(10, "1m")}, {"throttle": {"limit": 10, "period": 60_000}}),
        (
            {"throttle": Throttle(1, timedelta(days=7), burst=3, key="event.data.account")},
            {"throttle": {"limit": 1, "period": 7 * DAY, "burst": 3, "key": "event.data.account"}},
        ),
        ({"rate_limit": RateLimit(10_000, 0.5)}, {"rate_limit": {"limit": 10_000, "period": 500}}),
        (
            {"rate_limit": RateLimit(5, "1h", key="event.data.user + event.name")},
            {"rate_limit": {"limit": 5, "period": 3_600_000, "key": "event.data.user + event.name"}},
        ),
        ({"debounce": Debounce("10s")}, {"debounce": {"period": 10_000}}),
        (
            {"debounce": Debounce("10s", timeout="10s", key="event.data.id")},
            {"debounce": {"period": 10_000, "timeout": 10_000, "key": "event.data.id"}},
        ),
        ({"batch": Batch(2, "7d")}, {"batch": {"max_size": 2, "timeout": 7 * DAY}}),
        (
            {"batch": Batch(1000, "10s", key="event.data.id", if_="event.data.total < 100")},
            {"batch": {"max_size": 1000, "timeout": 10_000, "key": "event.data.id", "if": "event.data.total < 100"}},
        ),
        ({"priority": "event.data.vip ? 60 : 0"}, {"priority": {"expression": "event.data.vip ? 60 : 0"}}),
        ({"priority": Priority("7")}, {"priority": {"expression": "7"}}),
        ({"singleton": Singleton()}, {"singleton": {}}),
        (
            {"singleton": Singleton("event.data.id", mode="cancel")},
            {"singleton": {"key": "event.data.id", "mode": "cancel"}},
        ),
        ({"fairness": "event.data.customer"}, {"fairness": {"key": "event.data.customer"}}),
        ({"fairness": Fairness("event.data.customer")}, {"fairness": {"key": "event.data.customer"}}),
        ({"concurrency": 3}, {"concurrency": [{"limit": 3}]}),
        (
            {
                "concurrency": [
                    Concurrency(1, key="event.data.a + event.data.b"),
                    Concurrency(2, scope="app", name="printers"),
                    Concurrency(3, "event.data.host", "environment", "gpu-1"),
                ]
            },
            {
                "concurrency": [
                    {"limit": 1, "key": "event.data.a + event.data.b"},
                    {"limit": 2, "scope": "app", "name": "printers"},
                    {"limit": 3, "key": "event.data.host", "scope": "environment", "name": "gpu-1"},
                ]
            },
        ),
    ],
)
def test_a_control_is_registered_with_times_in_milliseconds(controls: dict[str, Any], told: dict[str, Any]) -> None:
    assert registered(**controls) == told


def test_a_control_that_is_none_is_as_one_that_is_not_there() -> None:
    names = ("throttle", "rate_limit", "debounce", "batch", "priority", "singleton", "fairness", "concurrency")
    assert registered(**dict.fromkeys(names)) == {}


def test_all_that_can_be_together() -> None:
    every: dict[str, Any] = {
        "concurrency": 1,
        "throttle": Throttle(1, "1s"),
        "rate_limit": RateLimit(1, "1s"),
        "priority": "1",
        "singleton": Singleton(),
        "fairness": "event.data.customer",
        "idempotency": Idempotency("event.data.id"),
        "cancel_on": CancelOn("order.cancelled"),
        "timeouts": Timeouts(start="1h"),
    }
    for gathering in ({"batch": Batch(2, "1s")}, {"debounce": Debounce("1s")}):
        assert registered(**every, **gathering).keys() == {*every, *gathering}


def test_apps_without_these_controls_keep_the_version_they_have_had() -> None:
    app = App("shop")
    app.function(
        on=["order.placed", event("order.*", if_="event.data.total > 100")],
        id="one",
        concurrency=[Concurrency(5, key="event.data.customer"), Concurrency(3)],
        cancel_on=CancelOn("order.cancelled", match="data.id"),
        timeouts=Timeouts(finish="1d"),
        idempotency="event.data.id",
    )(fulfil)
    app.function(on=cron("@daily"), id="two", retries=0)(fulfil)
    assert app.version == "348aadaaf66e"


def test_each_control_makes_another_version() -> None:
    controls: list[dict[str, Any]] = [
        {},
        {"concurrency": Concurrency(1)},
        {"concurrency": Concurrency(1, scope="app", name="a")},
        {"concurrency": Concurrency(1, scope="app", name="b")},
        {"throttle": Throttle(1, "1s")},
        {"throttle": Throttle(1, "1s", burst=2)},
        {"rate_limit": RateLimit(1, "1s")},
        {"debounce": Debounce("1s")},
        {"batch": Batch(2, "1s")},
        {"priority": "1"},
        {"singleton": Singleton()},
        {"singleton": Singleton(mode="cancel")},
        {"fairness": "event.name"},
    ]
    assert len({defined(**one).version for one in controls}) == len(controls)


def test_type_checkers_know_the_function_as_ever() -> None:
    made = App("shop").function(on="a", throttle=Throttle(1, "1s"), priority="1", fairness=Fairness("event.id"))(fulfil)
    assert_type(made, Function[None])
    assert (made.controls.throttle, made.controls.priority) == (Throttle(1, "1s"), Priority("1"))


# What is refused

ANY: Any = None
WORLD: Any = "world"
WAIT: Any = "wait"
Wrong = Callable[[], object]


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (lambda: Concurrency(0), "^Concurrency: limit is an int from 1 to 1,000,000,000, not 0$"),
        (lambda: Concurrency(1, key=""), "^Concurrency: key is an expression as text, such as 'event.data.customer'"),
        (lambda: Concurrency(1, key="x" * 4097), "of at most 4,096 characters, and this one has 4,097$"),
        (
            lambda: Concurrency(1, scope=WORLD, name="a"),
            '^Concurrency: scope is "function", "app" or "environment", ',
        ),
        (lambda: Concurrency(7, scope="app"), r'needs a name, .*: Concurrency\(7, scope="app", name="printers"\)$'),
        (lambda: Concurrency(1, name="a"), """write scope="app" beside name='a'$"""),
        (lambda: Concurrency(1, scope="app", name="a b"), "^Concurrency: name 'a b' is not allowed: use 1 to 64 of"),
        (lambda: Concurrency(1, scope="app", name=""), "^Concurrency: name '' is not allowed"),
        (lambda: Throttle(0, "1s"), "^Throttle: limit is an int from 1 to 1,000,000,000, not 0$"),
        (lambda: Throttle(1_000_000_001, "1s"), "^Throttle: limit .* 1,000,000,000, not 1000000001$"),
        (lambda: Throttle(1, "1s", burst=10**5_000), "^Throttle: burst .* 1,000,000,000, not one that is far larger$"),
        (lambda: Concurrency(10**400), "^Concurrency: limit .* 1,000,000,000, not one that is far larger$"),
        (lambda: Throttle(True, "1s"), "^Throttle: limit is an int from 1 to 1,000,000,000, not True$"),
        (lambda: Throttle(1, 0), "^Throttle: period is longer than nothing, not 0$"),
        (lambda: Throttle(1, "7d1ms"), "^Throttle: period is at most 7 days, not '7d1ms'$"),
        (lambda: Throttle(1, ANY), '^Throttle: period: a duration is text such as "5m".* not None$'),
        (lambda: Throttle(1, "1s", burst=0), "^Throttle: burst is an int from 1 to 1,000,000,000, not 0$"),
        (lambda: Throttle(1, "1s", key=" "), "^Throttle: key is an expression as text"),
        (lambda: RateLimit(10_001, "1s"), "^RateLimit: limit is an int from 1 to 10,000, not 10001$"),
        (lambda: RateLimit(0, "1s"), "^RateLimit: limit is an int from 1 to 10,000, not 0$"),
        (lambda: RateLimit(1, "soon"), "^RateLimit: period: 'soon' is not a duration"),
        (lambda: RateLimit(1, "8d"), "^RateLimit: period is at most 7 days, not '8d'$"),
        (lambda: RateLimit(1, "1s", key=""), "^RateLimit: key is an expression as text"),
        (lambda: Debounce("0s"), "^Debounce: period is longer than nothing"),
        (lambda: Debounce("8d"), "^Debounce: period is at most 7 days"),
        (lambda: Debounce("10s", timeout="9s"), "^Debounce: timeout is at least as long as period, '10s', not '9s'$"),
        (lambda: Debounce("10s", timeout="later"), "^Debounce: timeout: 'later' is not a duration"),
        (lambda: Debounce("10s", key=""), "^Debounce: key is an expression as text"),
        (lambda: Batch(1, "1s"), "^Batch: max_size is an int from 2 to 1,000, not 1$"),
        (lambda: Batch(1001, "1s"), "^Batch: max_size is an int from 2 to 1,000, not 1001$"),
        (lambda: Batch(2, 0), "^Batch: timeout is longer than nothing"),
        (lambda: Batch(2, "8d"), "^Batch: timeout is at most 7 days"),
        (lambda: Batch(2, "1s", key=""), "^Batch: key is an expression as text"),
        (lambda: Batch(2, "1s", if_=""), "^Batch: if_ is an expression as text, such as 'event.data.total < 100'"),
        (lambda: Priority(""), "^Priority: expression is an expression as text, such as 'event.data.vip .* 60 : 0'"),
        (lambda: Priority(ANY), "^Priority: expression is an expression as text, .* not None$"),
        (lambda: Singleton(""), "^Singleton: key is an expression as text"),
        (lambda: Singleton(mode=WAIT), '^Singleton: mode is "skip" or "cancel", not \'wait\'$'),
        (lambda: Fairness(""), "^Fairness: key is an expression as text"),
        (lambda: Fairness(ANY), "^Fairness: key is an expression as text, .* not None$"),
    ],
)
def test_what_cannot_be_is_refused_where_it_is_written(wrong: Wrong, says: str) -> None:
    with pytest.raises(InvalidControl, match=says):
        wrong()


@pytest.mark.parametrize(
    ("controls", "says"),
    [
        ({"throttle": 10}, r'throttle= is Throttle\(10, "1m"\), not 10$'),
        ({"rate_limit": "10/m"}, r'rate_limit= is RateLimit\(10, "1m"\), not \'10/m\'$'),
        ({"debounce": "10s"}, r'debounce= is Debounce\("10s", timeout="5m"\), not \'10s\'$'),
        ({"batch": 100}, r'batch= is Batch\(100, "10s"\), not 100$'),
        ({"singleton": True}, r'singleton= is Singleton\("event.data.customer"\), not True$'),
        ({"priority": 7}, "Priority: expression is an expression as text"),
        ({"fairness": 7}, "Fairness: key is an expression as text"),
        ({"concurrency": "5"}, r"concurrency= is an int, Concurrency\(5\) or a list of them, not '5'$"),
        ({"concurrency": 1.5}, r"concurrency= is an int, Concurrency\(5\) or a list of them, not 1.5$"),
        ({"concurrency": ["5"]}, r"concurrency= is an int, Concurrency\(5\) or a list of them, not '5'$"),
        ({"concurrency": True}, r"concurrency= is an int, Concurrency\(5\) or a list of them, not True$"),
        ({"concurrency": [1, 2, 3, 4]}, "concurrency= is at most 3 controls, not 4$"),
        (
            {"concurrency": [Concurrency(1, scope="app", name="a"), Concurrency(2, scope="app", name="a")]},
            "Concurrency: name 'a' of the app is there twice: leave out one of the two$",
        ),
        (
            {"debounce": Debounce("1s"), "batch": Batch(2, "1s")},
            "debounce= and batch= gather the same events in two ways: leave out debounce= .* or batch= ",
        ),
    ],
)
def test_what_is_no_control_is_refused_with_the_name_of_the_function(controls: dict[str, Any], says: str) -> None:
    with pytest.raises(InvalidControl, match=f"^shop/fulfil: {says}"):
        defined(**controls)


# Slots that functions share


def test_functions_that_share_slots_agree_on_limit_and_key() -> None:
    app = App("shop")
    printers = Concurrency(2, key="event.data.host", scope="app", name="printers")
    app.function(on="a", id="one", concurrency=[5, printers])(fulfil)
    app.function(on="a", id="two", concurrency=printers)(fulfil)
    for other in (
        Concurrency(9, scope="environment", name="printers"),
        Concurrency(9, scope="app", name="plotters"),
        Concurrency(9, key="event.data.host"),
    ):
        app.function(on="a", id=f"other-{other.scope}-{other.name}", concurrency=other)(fulfil)
    assert len(app.functions) == 5


@pytest.mark.parametrize(
    ("other", "shown"),
    [
        (Concurrency(3, scope="app", name="printers"), "limit 3 and no key"),
        (Concurrency(2, key="event.id", scope="app", name="printers"), "limit 2 and key 'event.id'"),
    ],
)
def test_others_are_refused_with_both_names_and_nothing_is_registered(other: Concurrency, shown: str) -> None:
    app = defined(concurrency=Concurrency(2, scope="app", name="printers"))
    with pytest.raises(DefinitionError) as caught:
        app.function(on="a", id="label", concurrency=[1, other])(fulfil)
    assert str(caught.value) == (
        "shop/fulfil and shop/label share the slots 'printers' of the app, "
        f"one with limit 2 and no key and one with {shown}: give both the same"
    )
    assert list(app.functions) == ["fulfil"]


# Manifests that others send


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: ConcurrencyManifest(limit=1, scope="app"),
        lambda: ConcurrencyManifest(limit=1, name="a"),
        lambda: ConcurrencyManifest(limit=1, scope="app", name="a b"),
        lambda: ConcurrencyManifest(limit=1, key="x" * 4097),
        lambda: ConcurrencyManifest(limit=1_000_000_001),
        lambda: ThrottleManifest(limit=1_000_000_001, period=1),
        lambda: ThrottleManifest(limit=1, period=1, burst=1_000_000_001),
        lambda: ThrottleManifest(limit=1, period=7 * DAY + 1),
        lambda: ThrottleManifest(limit=1, period=0),
        lambda: RateLimitManifest(limit=10_001, period=1),
        lambda: DebounceManifest(period=2, timeout=1),
        lambda: BatchManifest(max_size=1, timeout=1),
        lambda: manifest(concurrency=[ConcurrencyManifest(limit=1)] * 4),
        lambda: manifest(batch=BatchManifest(max_size=2, timeout=1), debounce=DebounceManifest(period=1)),
    ],
)
def test_a_manifest_has_the_bounds_of_the_controls(wrong: Wrong) -> None:
    with pytest.raises(ValidationError):
        wrong()


def manifest(**controls: Any) -> FunctionManifest:
    return FunctionManifest.model_validate(
        {"id": "a", "triggers": [{"event": "a"}], "retries": {"times": 0}} | controls
    )


def test_a_batch_of_a_newer_version_is_understood() -> None:
    told = manifest(batch={"max_size": 2, "timeout": 5, "if": "true", "later": 1})
    assert told.batch == BatchManifest(max_size=2, timeout=5, if_="true")


# What a handler sees


class Order(BaseModel):
    id: str
    total: int = 0


def received(*data: Any) -> list[dict[str, Any]]:
    return [{"id": f"e-{n}", "name": "order.placed", "data": one, "ts": n} for n, one in enumerate(data, 1)]


async def run(handler: Callable[[Any], Any], events: list[dict[str, Any]]) -> Ending:
    app = App("shop")
    function = app.function(on="order.placed", batch=Batch(10, "1m"))(handler)
    driver = Driver(function)
    start = Start("run-1", function.name, tuple(events), 0, 5, [], 0)
    return await Execution(function, start, MemoryJournal(driver.run), driver.threads).run()


async def outcome(handler: Callable[[Any], Any], *data: Any) -> Any:
    ending = await run(handler, received(*data))
    assert isinstance(ending, Completed), ending
    return orjson.loads(ending.output)


async def typed(ctx: Context[Order]) -> list[Any]:
    assert_type(ctx.batch, list[Order])
    assert ctx.data is ctx.batch[0]
    return [[one.id for one in ctx.batch], [one.id for one in ctx.events], ctx.event.id, ctx.data.id]


def typed_in_a_thread(ctx: SyncContext[Order]) -> list[Any]:
    assert_type(ctx.batch, list[Order])
    return [[one.id for one in ctx.batch], [one.id for one in ctx.events], ctx.event.id, ctx.data.id]


async def plain(ctx: Context) -> list[Any]:
    return [[one["id"] for one in ctx.batch], [one.id for one in ctx.events], ctx.event.id, ctx.data["id"]]


@pytest.mark.parametrize("handler", [typed, typed_in_a_thread, plain])
async def test_a_handler_of_a_batch_has_every_event_and_its_data_oldest_first(handler: Any) -> None:
    orders = {"id": "A"}, {"id": "B"}, {"id": "C"}
    assert await outcome(handler, *orders) == [["A", "B", "C"], ["e-1", "e-2", "e-3"], "e-1", "A"]


@pytest.mark.parametrize("handler", [typed, typed_in_a_thread, plain])
async def test_any_other_run_has_a_batch_of_its_one_event(handler: Any) -> None:
    assert await outcome(handler, {"id": "A"}) == [["A"], ["e-1"], "e-1", "A"]


async def test_data_that_does_not_validate_fails_the_run_and_its_event_is_named() -> None:
    ending = await run(typed, received({"id": "A"}, {"id": "B", "total": "much"}))
    assert isinstance(ending, Failed), ending
    assert b"shop/typed: the data of event e-2, 2 of 2, is not what the handler takes: total: " in ending.error


async def test_a_handler_of_failures_is_told_of_every_event() -> None:
    async def alert(ctx: Context[RunFailed]) -> list[str]:
        return [ctx.data.event.id, *(one.id for one in ctx.data.events)]

    events = received({}, {})
    error = {"type": "ValueError", "message": "no"}
    failed = {"function": "shop/fulfil", "run_id": "run-1", "error": error, "event": events[0]}
    assert await outcome(alert, {**failed, "events": events}) == ["e-1", "e-1", "e-2"]
    assert await outcome(alert, failed) == ["e-1", "e-1"]
