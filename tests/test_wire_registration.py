"""What SDKs register, as apps of ours."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepwell.functions.protocol import CronManifest, FunctionManifest, Manifest, TriggerManifest
from stepwell.platform.registry import check_manifest
from stepwell.platform.wire.durations import milliseconds
from stepwell.platform.wire.registration import BadRegistration, manifest_of, registration

URL = "http://127.0.0.1:8000/api/inngest"


def configured(id: str = "shop-fulfil", attempts: int | None = None, **more: Any) -> dict[str, Any]:
    """A function as SDKs write it."""
    retries = {} if attempts is None else {"retries": {"attempts": attempts}}
    runtime = {"type": "http", "url": f"{URL}?fnId={id}&stepId=step"}
    step = {"id": "step", "name": "step", "runtime": runtime, **retries}
    return {"id": id, "name": "Fulfil", "triggers": [{"event": "order.placed"}], "steps": {"step": step}, **more}


def body(*functions: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A registration as the Python SDK writes it."""
    return {
        "url": URL,
        "deploy_type": "ping",
        "framework": "fast_api",
        "appname": "shop",
        "sdk": "py:v0.5.19",
        "v": "0.1",
        "functions": list(functions),
        **more,
    }


def app(*functions: dict[str, Any], **more: Any) -> Manifest:
    return manifest_of(registration(body(*functions, **more)))


def function(**more: Any) -> FunctionManifest:
    [found] = app(configured(**more)).functions
    return found


def refused(*functions: dict[str, Any], **more: Any) -> str:
    with pytest.raises(BadRegistration) as caught:
        app(*functions, **more)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_an_app_says_where_it_is_served_and_by_what() -> None:
    found = app(configured(), appVersion="7f3a")
    assert (found.id, found.version) == ("shop", "7f3a")
    assert found.served
    assert (found.served.url, found.served.sdk, found.served.framework) == (URL, "py:v0.5.19", "fast_api")
    [one] = found.functions
    assert (one.id, one.name, one.url) == ("fulfil", "Fulfil", f"{URL}?fnId=shop-fulfil&stepId=step")
    assert (one.triggers, one.retries.times) == ([TriggerManifest(event="order.placed")], 4)


def test_keys_may_be_written_in_any_case() -> None:
    wanted = app(configured(rateLimit={"limit": 1, "period": "1m"}, batchEvents={"maxSize": 3, "timeout": "1s"}))
    other = body(configured(ratelimit={"Limit": 1, "PERIOD": "1m"}, batchevents={"maxsize": 3, "timeout": "1s"}))
    other["appName"] = other.pop("appname")
    assert manifest_of(registration({key.upper(): value for key, value in other.items()})) == wanted


def test_an_app_without_a_version_gets_another_one_for_other_functions() -> None:
    assert app(configured()).version == app(configured(), framework="flask").version
    assert app(configured()).version != app(configured(attempts=1)).version


def test_nothing_that_is_null_is_a_control() -> None:
    names = ("concurrency", "throttle", "rateLimit", "debounce", "batchEvents", "priority", "cancel", "idempotency")
    empty = dict.fromkeys((*names, "singleton", "timeouts", "retries", "triggers", "name"))
    found = function(**empty, unknown={"deep": [1]})
    assert found == FunctionManifest(id="fulfil", url=found.url, triggers=[], retries=found.retries)


def test_triggers() -> None:
    found = function(
        triggers=[
            {"event": "app/*", "expression": "event.data.total > 3"},
            {"cron": "TZ=Europe/Paris */5 * * * *", "jitter": "30s"},
            {"cron": "0 9 * * *", "expression": None},
        ]
    )
    assert found.triggers == [
        TriggerManifest(event="app/*", if_="event.data.total > 3"),
        CronManifest(cron="*/5 * * * *", tz="Europe/Paris", jitter=30_000),
        CronManifest(cron="0 9 * * *"),
    ]


@pytest.mark.parametrize(("attempts", "own", "times"), [(None, None, 4), (0, None, 0), (None, 7, 7), (2, 7, 2)])
def test_retries_of_the_step_go_before_those_of_the_function(attempts: int | None, own: int | None, times: int) -> None:
    assert function(attempts=attempts, retries=own).retries.times == times


@pytest.mark.parametrize(
    ("given", "found"),
    [
        (5, [(5, None, "function")]),
        ({"limit": 2, "key": "event.data.c"}, [(2, "event.data.c", "function")]),
        ([{"limit": 2, "scope": "fn"}, 3], [(2, None, "function"), (3, None, "function")]),
        ([{"limit": 2, "scope": "env", "key": "'a'"}], [(2, "'a'", "environment")]),
        ([{"limit": 0}], []),
    ],
)
def test_concurrency(given: Any, found: list[Any]) -> None:
    assert [(one.limit, one.key, one.scope) for one in function(concurrency=given).concurrency] == found


def test_functions_share_the_slots_of_a_key_within_its_scope() -> None:
    shared = {"limit": 2, "key": "'printer'"}
    scopes = [{**shared, "scope": "env"}, {**shared, "scope": "account"}, {**shared, "scope": "env", "key": "'x'"}]
    first, second = app(configured(concurrency=scopes), configured("shop-b", concurrency=scopes[:1])).functions
    assert len({one.name for one in first.concurrency}) == 3
    assert first.concurrency[0].name == second.concurrency[0].name


def test_every_control_is_understood() -> None:
    found = function(
        throttle={"limit": 10, "period": "1m", "burst": 2, "key": "event.data.c"},
        rateLimit={"limit": 1, "period": "24h"},
        debounce={"period": "5s", "timeout": "1m", "key": "event.data.c"},
        priority={"run": "event.data.vip ? 60 : 0"},
        cancel=[{"event": "stop", "if": "async.data.id == event.data.id", "timeout": "1h"}, {"event": "x"}],
        idempotency="event.data.id",
        singleton={"mode": "cancel", "key": "event.data.c"},
        timeouts={"start": "10s", "finish": "1h"},
    ).model_dump(exclude_defaults=True, exclude={"id", "url", "name", "triggers", "retries"})
    assert found == {
        "throttle": {"limit": 10, "period": 60_000, "burst": 2, "key": "event.data.c"},
        "rate_limit": {"limit": 1, "period": 86_400_000},
        "debounce": {"period": 5_000, "timeout": 60_000, "key": "event.data.c"},
        "priority": {"expression": "event.data.vip ? 60 : 0"},
        "cancel_on": [{"event": "stop", "if": "async.data.id == event.data.id", "within": 3_600_000}, {"event": "x"}],
        "idempotency": {"key": "event.data.id", "period": 86_400_000},
        "singleton": {"key": "event.data.c", "mode": "cancel"},
        "timeouts": {"start": 10_000, "finish": 3_600_000},
    }


def test_batches_and_older_ways_to_write() -> None:
    found = function(
        batchEvents={"maxSize": 100, "timeout": "5s", "key": "event.data.c", "if": "event.data.n < 3"},
        cancel=[{"event": "stop", "match": "data.id"}],
    )
    assert found.batch
    assert (found.batch.max_size, found.batch.timeout, found.batch.if_) == (100, 5_000, "event.data.n < 3")
    assert found.cancel_on[0].if_ == "event.data.id == async.data.id"
    waits = function(batchEvents={"maxSize": 2})
    assert waits.batch
    assert waits.batch.timeout == 60_000


WRONG: list[tuple[dict[str, Any], str]] = [
    (
        {"rateLimit": {"limit": 1, "period": "soon"}},
        "function 'shop-fulfil': rateLimit.period: 'soon' is not a dur",
    ),
    ({"rateLimit": {"limit": 1, "period": 5}}, "rateLimit.period: a duration is text such as"),
    (
        {"rateLimit": {"limit": 1, "period": "8d"}},
        "rateLimit.period: Input should be less than or equal to 604800000",
    ),
    ({"throttle": {"limit": 0, "period": "1s"}}, "throttle.limit: Input should be greater than or equal to 1 (0)"),
    ({"debounce": {"period": "0s"}}, "debounce.period: "),
    ({"batchEvents": {"maxSize": 1, "timeout": "1s"}}, "batchEvents.maxSize: "),
    ({"batchEvents": {"maxSize": 3}, "debounce": {"period": "1s"}}, "debounce and batch gather the same events"),
    ({"cancel": [{"event": "a*"}]}, "cancel.0.event: "),
    ({"concurrency": [1, 2, 3, 4]}, "concurrency: List should have at most 3 items"),
    ({"concurrency": {"limit": 1, "scope": "galaxy"}}, "concurrency.0.scope: "),
    ({"attempts": 1_000}, "retries.attempts: "),
    ({"triggers": [{"event": "*"}]}, "event: "),
    ({"triggers": [{}]}, "event: "),
    ({"steps": {}}, "steps: "),
    ({"id": "shop-a b"}, "function 'shop-a b': id: "),
    ({"singleton": {"mode": "hope"}}, "singleton.mode: "),
]


@pytest.mark.parametrize(("more", "says"), WRONG)
def test_what_cannot_be_is_named(more: dict[str, Any], says: str) -> None:
    text = refused(configured(**more))
    assert text.startswith("function 'shop-")
    assert says in text


def test_functions_that_are_called_otherwise_or_are_there_twice() -> None:
    other = configured()
    other["steps"]["step"]["runtime"] = {"type": "ws", "url": "wss://x"}
    assert refused(other) == "function 'shop-fulfil': runtime 'ws': functions are called over http only"
    assert refused(configured(), configured()) == "function 'fulfil' is there twice: give one of the two another id"
    one, two = ({"limit": limit, "scope": "env", "key": "'a'"} for limit in (1, 2))
    assert "'fulfil' and 'b': concurrency: they share slots" in refused(
        configured(concurrency=one), configured("shop-b", concurrency=two)
    )


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"appname": "my shop"}, "app 'my shop': id: "),
        ({"appname": ""}, "appName: "),
        ({"url": "shop"}, "app 'shop': url: "),
        ({"functions": {}}, "functions: "),
    ],
)
def test_apps_that_cannot_be(more: dict[str, Any], says: str) -> None:
    assert says in refused(**{**body(), **more})


@pytest.mark.parametrize("given", [None, [], "x", 7])
def test_what_is_no_registration(given: Any) -> None:
    with pytest.raises(BadRegistration, match="the body is no JSON object"):
        registration(given)


def test_a_function_of_another_name_than_its_app_keeps_it() -> None:
    [one] = app(configured("other")).functions
    assert one.id == "other"


def test_what_is_registered_has_passed_the_checks_of_the_registry() -> None:
    check_manifest(app(configured(cancel=[{"event": "x", "match": "data.id"}]), configured("shop-b", triggers=[])))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
FIELDS = st.sampled_from(
    [*configured(), "retries", "concurrency", "throttle", "rateLimit", "debounce", "batchEvents"]
) | (st.sampled_from(["priority", "cancel", "idempotency", "singleton", "timeouts"]))


def outcome(more: dict[str, Any]) -> Manifest | str:
    try:
        return manifest_of(registration(body({**configured(), **more})))
    except BadRegistration as error:
        return str(error)


@given(st.dictionaries(FIELDS, JSON, max_size=4))
def test_whatever_is_sent_is_an_app_or_a_refusal(more: dict[str, Any]) -> None:
    found = outcome(more)
    if isinstance(found, str):
        assert found.startswith(("function ", "app "))
    else:
        assert Manifest.model_validate_json(found.model_dump_json(exclude_defaults=True)) == found


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("1s", 1_000), ("5m", 300_000), ("1h", 3_600_000), ("2d", 172_800_000), ("1w", 604_800_000),
        ("250ms", 250), ("2h45m", 9_900_000), ("1.5h", 5_400_000), (" 1m0s ", 60_000),
    ],
)  # fmt: skip
def test_durations(text: str, ms: int) -> None:
    assert milliseconds(text) == ms


@pytest.mark.parametrize("text", ["", "soon", "-1s", "1", "1y", "5 m", 7, None])
def test_what_is_no_duration(text: Any) -> None:
    with pytest.raises(ValueError, match="duration"):
        milliseconds(text)
