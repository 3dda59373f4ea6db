"""What an event starts, where triggers have conditions."""

from collections.abc import Mapping
from typing import Any

import pytest
from structlog.testing import capture_logs

from stepwell.functions import App, Context, event
from stepwell.functions.errors import InvalidTrigger
from stepwell.functions.protocol import Manifest
from stepwell.platform.errors import InvalidManifest
from stepwell.platform.store.store import Store
from stepwell.platform.subscriptions import Subscriptions, check_conditions
from tests.platform_harness import harness


def order(total: float) -> Mapping[str, Any]:
    return {"id": "E1", "name": "order.placed", "data": {"total": total}, "ts": 1}


def test_a_target_is_started_once_by_any_of_its_triggers_whose_condition_holds() -> None:
    large, small = "event.data.total > 100", "event.data.total <= 100"
    subscriptions = Subscriptions(
        [
            ("order.placed", large, "audit"),
            ("order.*", small, "audit"),
            ("order.*", large, "alarm"),
            ("order.placed", "", "all"),
        ]
    )
    assert subscriptions.started_by("order.placed", lambda: order(500)) == ["audit", "all", "alarm"]
    assert subscriptions.started_by("order.placed", lambda: order(5)) == ["all", "audit"]
    assert subscriptions.started_by("order.placed", lambda: {"data": {"total": "many"}}) == ["all"]
    assert subscriptions.started_by("other", lambda: order(5)) == []


def test_an_event_is_not_looked_into_where_no_trigger_has_a_condition() -> None:
    def never() -> Mapping[str, Any]:
        raise AssertionError("nobody asked for it")

    assert Subscriptions([("a", "", 1), ("b", "true", 2)]).started_by("a", never) == [1]


def test_a_condition_of_a_newer_version_starts_nothing_and_is_said() -> None:
    with capture_logs() as logs:
        subscriptions = Subscriptions([("a", "event.data.x ~~ 1", 1), ("a", "", 2)])
    assert subscriptions.started_by("a", lambda: order(1)) == [2]
    assert [log["event"] for log in logs] == ["condition_not_understood"]


def app_on(condition: str) -> App:
    app = App("shop")

    @app.function(on=["order.paid", event("order.placed", if_=condition)])
    async def audit(ctx: Context[Any]) -> float:
        return float(ctx.event.data["total"])

    return app


async def test_only_events_that_meet_the_condition_start_a_run(store: Store) -> None:
    async with harness(store, app_on("event.data.total > 100 && event.name == 'order.placed'")) as platform:
        [run] = await platform.send("order.placed", {"total": 101})
        assert await platform.output(run) == 101
        assert await platform.send("order.placed", {"total": 100}) == []
        assert await platform.send("order.placed", {"total": None}) == []
        assert await platform.send("order.placed") == []
        assert len(await platform.send("order.paid", {"total": 1})) == 1


def test_a_condition_that_is_none_is_refused_with_its_place() -> None:
    with pytest.raises(InvalidManifest) as caught:
        check_conditions(app_on("event.data.total > evnt.limit").manifest)
    assert "function shop/audit: if_ of 'order.placed': column 20: " in str(caught.value)
    assert "evnt" in str(caught.value)
    with pytest.raises(InvalidTrigger, match="not 7"):
        event("a", if_=7)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


async def test_nothing_is_registered_of_an_app_with_such_a_condition(store: Store) -> None:
    async with harness(store, worker=False) as platform:
        with pytest.raises(InvalidManifest):
            await platform.registry.register(app_on("event.data.").manifest)
        assert (await platform.registry.load()).functions == {}


def test_a_manifest_says_if_and_reads_it_back() -> None:
    manifest = app_on("event.data.total > 100").manifest
    text = manifest.model_dump_json(exclude_defaults=True)
    assert '"if":"event.data.total > 100"' in text
    assert Manifest.model_validate_json(text) == manifest


async def test_a_wildcard_behind_a_slash_starts_runs(store: Store) -> None:
    app = App("audit")

    @app.function(on=["app/*", "site/user.*"])
    async def note(ctx: Context[Any]) -> str:
        return ctx.event.name

    async with harness(store, app, worker=False) as platform:
        assert len(await platform.send("app/user.created")) == 1
        assert len(await platform.send("site/user.created")) == 1
        assert await platform.send("site/order.placed") == []
        assert await platform.send("app.user.created") == []
