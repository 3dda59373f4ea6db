"""What a served function is told of its steps, and what steps and functions are called on the wire."""

from typing import Any, Literal

import pytest

from stepwell.functions.protocol import FunctionManifest, Manifest, RetriesManifest
from stepwell.platform.codec import encode
from stepwell.platform.records import StepRow
from stepwell.platform.snapshot import Snapshot
from stepwell.platform.wire.keys import wire_id
from stepwell.platform.wire.memos import memos
from stepwell.platform.wire.slugs import function_id, named, slug

ERROR: dict[str, Any] = {"type": "CardDeclined", "message": "no money", "traceback": [], "causes": []}
EVENT = {"id": "E", "name": "paid", "data": {"a": 1}, "ts": 5}


def row(kind: str, payload: Any, state: Literal["pending", "retrying", "done", "failed"] = "done") -> StepRow:
    return StepRow("a", state, kind, 1, 1, 1, 2, 0, b"" if payload is None else encode(payload))


@pytest.mark.parametrize(
    ("step", "memo"),
    [
        (row("run", {"b": 2}), {"data": {"b": 2}}),
        (row("run", None), {"data": None}),
        (row("send", ["E1"]), {"data": ["E1"]}),
        (row("run", ERROR, "failed"), {"error": {"name": "CardDeclined", "message": "no money"}}),
        (row("run", {**ERROR, "stack": "at x"}, "failed"),
         {"error": {"name": "CardDeclined", "message": "no money", "stack": "at x"}}),
        (row("sleep", None), None),
        (row("wait_for_event", EVENT), {**EVENT, "user": {}}),
        (row("wait_for_event", None), None),
        (row("invoke", {"c": 3}), {"data": {"c": 3}}),
        (row("invoke", None), {"data": None}),
        (row("invoke", ERROR, "failed"),
         {"error": {"error": "CardDeclined", "name": "CardDeclined", "message": "no money"}}),
        (row("invoke", {"type": "Timeout", "message": "late"}, "failed"),
         {"error": {"error": "InngestInvokeTimeoutError", "name": "InngestInvokeTimeoutError", "message": "late"}}),
    ],
)  # fmt: skip
def test_what_is_recorded_of_a_step(step: StepRow, memo: Any) -> None:
    assert memos([step]) == {"86f7e437faa5a7fce15d1ddcb9eaeaea377667b8": memo}


@pytest.mark.parametrize("state", ["pending", "retrying"])
def test_only_what_has_ended_is_told(state: Literal["pending", "retrying"]) -> None:
    assert memos([row("run", ERROR, state)]) == {}


def test_ids_of_steps() -> None:
    digest = wire_id("a:1")
    assert len(digest) == 40
    assert wire_id(digest) == digest
    assert wire_id(digest.upper()) != digest.upper()


def snapshot(**apps: list[str]) -> Snapshot:
    retries = RetriesManifest(times=0)
    made = {
        app.replace("_", "-"): Manifest(
            id=app.replace("_", "-"),
            version="1",
            functions=[FunctionManifest(id=id, triggers=[], retries=retries, url="http://x") for id in ids],
        )
        for app, ids in apps.items()
    }
    return Snapshot(1, made)


def test_slugs_are_names_of_functions() -> None:
    known = snapshot(shop=["fulfil", "take-back"], my_shop=["fulfil", "other"])
    for app, id in (("shop", "fulfil"), ("shop", "take-back"), ("my-shop", "fulfil")):
        assert named(slug(app, id), known) == f"{app}/{id}"
        assert function_id(app, slug(app, id)) == id
    for unknown in ("", "shop", "shop-", "-fulfil", "shop-none", "nobody-fulfil"):
        assert named(unknown, known) is None
    assert named("other", known) == "my-shop/other"
    assert function_id("shop", "other-fulfil") == "other-fulfil"
    assert function_id("shop", "shop-") == "shop-"
