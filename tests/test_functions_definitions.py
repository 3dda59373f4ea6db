"""Defining apps and functions: what is accepted, what is registered, and what is said of mistakes."""

import functools
import pickle
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

import stepwell.functions
from stepwell.functions import (
    App,
    Concurrency,
    Context,
    DefinitionError,
    DuplicateFunction,
    DuplicateStep,
    FunctionsError,
    InvalidControl,
    InvalidDuration,
    InvalidHandler,
    InvalidId,
    InvalidTrigger,
    InvokeFailed,
    NonDeterministic,
    NonRetriable,
    Retries,
    RetryAfter,
    StepFailed,
    SyncContext,
    event,
)
from stepwell.functions.durations import milliseconds, moment
from stepwell.functions.protocol import Manifest


async def fulfil(ctx: Context) -> None: ...


def test_a_function_is_registered_with_its_triggers_and_controls() -> None:
    app = App("shop", version="7")
    one = app.function(on="order.placed")(fulfil)
    app.function(
        id="second",
        on=[event("order.*"), "order.placed"],
        retries=0,
        concurrency=Concurrency(5, key="event.data.customer"),
    )(fulfil)
    assert (one.name, one.is_async, repr(one)) == ("shop/fulfil", True, "<Function shop/fulfil>")
    assert list(app.functions) == ["fulfil", "second"]
    assert app.manifest.model_dump(mode="json", exclude_defaults=True) == {
        "id": "shop",
        "version": "7",
        "functions": [
            {
                "id": "fulfil",
                "triggers": [{"event": "order.placed"}],
                "retries": {"times": 4},
            },
            {
                "id": "second",
                "triggers": [{"event": "order.*"}, {"event": "order.placed"}],
                "retries": {"times": 0},
                "concurrency": [{"limit": 5, "key": "event.data.customer"}],
            },
        ],
    }
    assert Manifest.model_validate_json(app.manifest.model_dump_json()) == app.manifest


def test_a_manifest_of_a_newer_version_is_understood() -> None:
    assert Manifest.model_validate({"id": "a", "version": "1", "functions": [], "later": 1}).id == "a"


def test_the_version_follows_what_is_registered_and_not_its_order() -> None:
    def app(*names: str, retries: int = 4) -> App:
        made = App("shop")
        for name in names:
            made.function(on="a", id=name, retries=retries)(fulfil)
        return made

    assert app("one", "two").version == app("two", "one").version
    assert len({app("one").version, app("two").version, app("one", retries=1).version}) == 3


def test_def_and_async_def_decide_and_not_the_annotation() -> None:
    async def slow(ctx: SyncContext) -> None: ...
    def quick(ctx: SyncContext) -> None: ...

    app = App("shop")
    assert not app.function(on="a")(quick).is_async
    assert app.function(on="a", id="slow")(slow).is_async  # pyright: ignore[reportCallIssue, reportArgumentType]


async def fulfil_for(shop: str, ctx: Context) -> None: ...


class Handler:
    async def method(self, ctx: Context) -> None: ...
    def __call__(self, ctx: Context) -> None: ...


def generator(ctx: Context) -> Iterator[int]:
    yield 1


async def async_generator(ctx: Context) -> AsyncIterator[int]:
    yield 1


def no_context() -> None: ...
def too_much(ctx: Context, more: int) -> None: ...


@pytest.mark.parametrize("handler", [Handler().method, functools.partial(fulfil_for, "x"), fulfil])
def test_methods_and_partials_are_handlers(handler: Any) -> None:
    assert App("shop").function(on="a", id="x")(handler).is_async


@pytest.mark.parametrize(
    ("handler", "says"),
    [
        (Handler, "not a class"),
        (Handler(), "not 'Handler'"),
        (7, "not 'int'"),
        (len, "not 'builtin_function_or_method'"),
        (generator, "not a generator"),
        (async_generator, "not a generator"),
        (no_context, "takes one argument"),
        (too_much, "takes one argument"),
    ],
)
def test_what_is_no_handler(handler: Any, says: str) -> None:
    with pytest.raises(InvalidHandler, match=says) as caught:
        App("shop").function(on="a", id="x")(handler)
    assert str(caught.value).startswith("shop/x: ")


@pytest.mark.parametrize("id", ["", "-a", "a/b", "a b", "ä", "x" * 65, "a\n", 7])
def test_ids_that_are_not_allowed(id: Any) -> None:
    with pytest.raises(InvalidId, match="is not allowed"):
        App(id)
    with pytest.raises(InvalidId, match="is not allowed"):
        App("shop").function(on="a", id=id)(fulfil)


def test_a_lambda_needs_an_id() -> None:
    with pytest.raises(InvalidId, match="<lambda>"):
        App("shop").function(on="a")(lambda ctx: None)


def test_two_functions_may_not_share_an_id() -> None:
    app = App("shop")
    app.function(on="a")(fulfil)
    with pytest.raises(DuplicateFunction, match=r"app 'shop' has a function 'fulfil' already.*\.py:\d+ or .*\.py:\d+"):
        app.function(on="b")(fulfil)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ((fulfil,), 'shop/fulfil: what starts a function comes by name: write @app.function(on="order.placed")'),
        ((), "app 'shop': what starts a function comes by name: write @app.function(on=\"order.placed\")"),
        (("order.packed",), 'write @app.function(on="order.packed")'),
    ],
)
def test_a_decorator_without_its_arguments_says_how_it_is_written(given: tuple[Any, ...], says: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        App("shop").function(*given)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    assert says in str(caught.value)


@pytest.mark.parametrize(
    "on", ["", " ", "*", ".*", "/*", "a.*.b", "a/*/b", "a*", "**", "a/.*/", "x" * 513, "\ud800", 7, [], [7], None]
)
def test_triggers_that_can_never_match(on: Any) -> None:
    with pytest.raises(InvalidTrigger, match=r"^shop/fulfil: "):
        App("shop").function(on=on)(fulfil)


@pytest.mark.parametrize("condition", [" ", "x" * 4_097, 7, None])
def test_conditions_that_cannot_be(condition: Any) -> None:
    with pytest.raises(InvalidTrigger, match=r"^if_= is an expression "):
        event("order.placed", if_=condition)


@pytest.mark.parametrize(
    "name", ["order.placed", "order.*", "a.b.*", "app/*", "app/user.*", "x" * 512, "app/order.placed", "Bestellung ä"]
)
def test_triggers_that_can(name: str) -> None:
    assert event(name).event == name


@pytest.mark.parametrize("limit", [0, -1, True, 1.5, "5"])
def test_concurrency_needs_a_positive_limit(limit: Any) -> None:
    with pytest.raises(InvalidControl, match="limit"):
        Concurrency(limit)


def test_concurrency_may_be_a_number() -> None:
    assert App("shop").function(on="a", concurrency=3)(fulfil).concurrency == (Concurrency(3),)
    both = (Concurrency(3), Concurrency(1, key="event.data.a.b"))
    assert App("shop").function(on="a", concurrency=both)(fulfil).concurrency == both
    with pytest.raises(InvalidControl, match=r"^shop/fulfil: "):
        App("shop").function(on="a", concurrency=0)(fulfil)


@pytest.mark.parametrize(
    ("duration", "ms"),
    [
        ("300ms", 300),
        ("5m", 300_000),
        ("1h30m", 5_400_000),
        ("1.5h", 5_400_000),
        ("1w2d", 777_600_000),
        (0, 0),
        (0.3, 300),
        (1e-4, 1),
        (2, 2000),
        (timedelta(minutes=1), 60_000),
        (timedelta(microseconds=1), 1),
    ],
)
def test_durations(duration: Any, ms: int) -> None:
    assert milliseconds(duration) == ms


@pytest.mark.parametrize(
    "duration",
    [
        "",
        "5",
        "m",
        "5 m",
        "-5m",
        "5x",
        "٣m",
        -1,
        float("nan"),
        float("inf"),
        True,
        None,
        [],
        timedelta(-1),
        timedelta.max,
        "36526d",
    ],
)
def test_what_is_no_duration(duration: Any) -> None:
    with pytest.raises(InvalidDuration):
        milliseconds(duration)


def test_moments() -> None:
    assert moment(datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)) == 1000
    assert moment("1970-01-01T01:00:00.0001+01:00") == 1
    assert moment(datetime(1970, 1, 1, 1, tzinfo=timezone(timedelta(hours=1)))) == 0
    for wrong in (datetime(2024, 1, 1), "2024-01-01", "soon", 7, "2200-01-01T00:00:00+00:00"):  # noqa: DTZ001
        with pytest.raises(InvalidDuration):
            moment(wrong)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def test_backoff_grows_and_is_capped_and_spread() -> None:
    policy = Retries(delay="1s", factor=4, cap="20s", jitter="none")
    assert [policy.pause(failed) for failed in (1, 2, 3, 4, 200)] == [1000, 4000, 16_000, 20_000, 20_000]
    linear = Retries(delay="2s", backoff="linear", cap="5s", jitter="none")
    assert [linear.pause(failed) for failed in (1, 2, 3)] == [2000, 4000, 5000]
    fixed = Retries(delay="2s", backoff="fixed", jitter="none")
    assert [fixed.pause(failed) for failed in (1, 2, 100)] == [2000, 2000, 2000]
    equal, full = Retries(jitter="equal"), Retries(jitter="full")
    assert [equal.pause(1, lambda: 0.0), equal.pause(1, lambda: 0.999999)] == [500, 1000]
    assert [full.pause(1, lambda: 0.0), full.pause(1, lambda: 0.999999)] == [0, 1000]
    assert 500 <= Retries().pause(1) <= 1000


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: Retries(-1),
        lambda: Retries(101),
        lambda: Retries(True),
        lambda: Retries(factor=0.5),
        lambda: Retries(factor=float("nan")),
        lambda: Retries(factor="4"),  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
        lambda: Retries(jitter="some"),  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
        lambda: Retries(backoff="some"),  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
        lambda: Retries(retry_on="OSError"),  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
        lambda: Retries(give_up_on=(OSError, int)),  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
        lambda: Retries(delay="soon"),
        lambda: App("shop").function(on="a", retries=-1)(fulfil),
    ],
)
def test_retries_that_cannot_be(wrong: Callable[[], object]) -> None:
    with pytest.raises(DefinitionError):
        wrong()


def test_retry_after_a_moment_needs_to_know_the_time() -> None:
    policy = Retries(delay="7s", jitter="none")
    late = RetryAfter(datetime(1970, 1, 1, 0, 1, tzinfo=UTC))
    assert policy.after(late, 1, 20_000) == 40_000
    assert policy.after(late, 1, 90_000) == 0
    assert policy.after(late, 1, 0) == 7000
    assert policy.after(RetryAfter(timedelta(seconds=3)), 1, 0) == 3000
    with pytest.raises(InvalidDuration):
        RetryAfter("soon")


@pytest.mark.parametrize(
    "error",
    [
        NonRetriable("no"),
        RetryAfter("5m", "busy"),
        RetryAfter(datetime(2024, 1, 1, tzinfo=UTC)),
        StepFailed("charge", "ValueError", "no", 5),
        InvokeFailed("pack", "shop/pack", "run-2", "ValueError", "no"),
        DuplicateStep("x", "a.py:1 in f", "a.py:2 in f"),
        NonDeterministic("x", "run", "sleep"),
        InvalidId("no"),
    ],
)
def test_errors_survive_pickling(error: FunctionsError) -> None:
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error)
    assert (str(again), again.args, vars(again)) == (str(error), error.args, vars(error))


def test_which_errors_are_tried_again() -> None:
    policy = Retries()
    assert policy.allows(ValueError())
    assert policy.allows(RetryAfter("1s"))
    assert policy.allows(ExceptionGroup("", [ValueError(), KeyError()]))
    assert not policy.allows(ExceptionGroup("", [ValueError(), ExceptionGroup("", [NonRetriable()])]))
    for error in (
        StepFailed("a", "b", "c", 1),
        InvokeFailed("a", "b", "c", "d", "e"),
        DuplicateStep("a", "b", "c"),
        NonDeterministic("a", "b", "c"),
    ):
        assert not policy.allows(error)


def test_a_policy_may_name_the_errors_to_try_again_and_those_to_give_up_on() -> None:
    policy = Retries(retry_on=OSError, give_up_on=(FileNotFoundError, PermissionError))
    assert policy.allows(TimeoutError())
    assert not policy.allows(ValueError())
    assert not policy.allows(FileNotFoundError())
    assert policy.allows(RetryAfter("1s"))
    assert not policy.allows(NonRetriable())
    assert policy.allows(ExceptionGroup("", [TimeoutError(), OSError()]))
    assert not policy.allows(ExceptionGroup("", [TimeoutError(), ValueError()]))


def test_the_public_api_is_exactly_what_is_exported() -> None:
    public = stepwell.functions.__all__
    assert public == sorted(public)
    assert public == [
        "App",
        "Batch",
        "CancelOn",
        "Concurrency",
        "Context",
        "Debounce",
        "DefinitionError",
        "DuplicateFunction",
        "DuplicateStep",
        "Event",
        "EventWait",
        "Fairness",
        "First",
        "Function",
        "FunctionsError",
        "Idempotency",
        "InvalidControl",
        "InvalidDuration",
        "InvalidHandler",
        "InvalidId",
        "InvalidStep",
        "InvalidTrigger",
        "InvalidValue",
        "InvokeFailed",
        "LimitExceeded",
        "MisplacedStep",
        "NonDeterministic",
        "NonRetriable",
        "Priority",
        "RateLimit",
        "ReceivedEvent",
        "Retries",
        "RetryAfter",
        "RunFailed",
        "Singleton",
        "Step",
        "StepFailed",
        "SyncContext",
        "SyncStep",
        "Throttle",
        "Timeouts",
        "cron",
        "event",
        "on_event",
    ]
    import types

    names = {
        name
        for name, value in vars(stepwell.functions).items()
        if not name.startswith("_") and not isinstance(value, types.ModuleType)
    }
    assert names == set(public)
