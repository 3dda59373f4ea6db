"""Which apps are called: those that are registered as reached over HTTP, as they are at the time."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from stepwell.functions.protocol import FunctionManifest, Manifest
from stepwell.platform.executor.remote import apps as module
from stepwell.platform.executor.remote.app import session_id
from stepwell.platform.executor.remote.apps import RemoteApps
from stepwell.platform.executor.remote.caller import Unsigned
from stepwell.platform.records import Status
from stepwell.platform.settings import Settings
from stepwell.platform.store.store import Store
from stepwell.platform.wire.addresses import Addresses
from tests.api_desk import Desk
from tests.remote_desk import FakeCaller, Told, answer, done, ops, sequence


def app(*functions: str, id: str = "shop", version: str = "1") -> Manifest:
    """An app of functions that are started by events of their names."""
    made = [
        FunctionManifest.model_validate(
            {
                "id": one,
                "triggers": [{"event": one}],
                "retries": {"times": 0},
                "url": f"http://x/?fnId={one}&stepId=step",
            }
        )
        for one in functions
    ]
    return Manifest(id=id, version=version, functions=made)


@asynccontextmanager
async def called(desk: Desk, caller: FakeCaller, monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[RemoteApps]:
    """Apps are called, as it were."""

    def make(*_: object, **__: object) -> FakeCaller:
        return caller

    monkeypatch.setattr(module, "HttpCaller", make)
    apps = RemoteApps(desk.installation, Unsigned(), Addresses(private=True), "dev")
    running = asyncio.create_task(apps.run())
    try:
        yield apps
    finally:
        running.cancel()
        await running


async def ended(desk: Desk, run: str) -> Any:
    """The output of a run that ends."""
    async with asyncio.timeout(20):
        while True:
            view = await desk.installation.history.run(run)
            assert view
            if view.run.status.ended:
                assert view.run.status is Status.COMPLETED, view.run.error
                return view.run.output
            await asyncio.sleep(0.01)


async def test_an_app_is_called_as_soon_as_it_is_registered(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk.over(store)
    async with called(desk, FakeCaller(sequence("a")), monkeypatch):
        await asyncio.sleep(0)
        await desk.installation.registry.register(app("pay"))
        assert await ended(desk, await desk.start("pay")) == b'["a done"]'
        await desk.installation.registry.register(app("mail", id="post"))
        assert await ended(desk, await desk.start("mail")) == b'["a done"]'


async def test_a_call_under_way_is_not_cut_off_when_its_app_changes(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk, go_on, executed = Desk.over(store), asyncio.Event(), list[str]()

    async def handler(told: Told) -> Any:
        if told.body["event"]["name"] == "slow" and not told.knows("a"):
            executed.append("a")
            await go_on.wait()
            return ops(done("a"))
        return answer(200, "done")

    async with called(desk, FakeCaller(handler), monkeypatch):
        await desk.installation.registry.register(app("slow"))
        run = await desk.start("slow")
        while not executed:  # noqa: ASYNC110 - the app executes it
            await asyncio.sleep(0.01)
        await desk.installation.registry.register(app("slow", "new", version="2"))
        assert await ended(desk, await desk.start("new")) == b'"done"', "the app as it is now is called meanwhile"
        go_on.set()
        assert await ended(desk, run) == b'"done"'
    assert executed == ["a"]


async def test_what_is_under_way_when_the_server_ends_is_given_back_at_once(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PATIENCE", 0.05)
    desk, begun = Desk.over(store), asyncio.Event()

    async def hangs(_: Told) -> Any:
        begun.set()
        await asyncio.Event().wait()

    async with called(desk, FakeCaller(hangs), monkeypatch):
        await desk.installation.registry.register(app("pay"))
        run = await desk.start("pay")
        await begun.wait()
    view = await desk.installation.history.run(run)
    assert view
    assert (view.run.status, view.run.crashes) == (Status.QUEUED, 0)
    async with called(desk, FakeCaller(sequence("a")), monkeypatch):
        assert await ended(desk, run) == b'["a done"]'


async def test_an_app_whose_session_was_taken_for_dead_is_taken_up_anew(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PAUSE", 0.01)
    desk = Desk.over(store, Settings())
    sessions = list[str]()

    def noted() -> str:
        sessions.append(session_id())
        return sessions[-1]

    monkeypatch.setattr(module, "session_id", noted)
    async with called(desk, FakeCaller(sequence("a")), monkeypatch):
        await desk.installation.registry.register(app("pay"))
        assert await ended(desk, await desk.start("pay")) == b'["a done"]'
        await desk.installation.partitions[0].script("reap", sessions[0], 3, "idle", items=[])
        async with asyncio.timeout(20):
            while len(sessions) < 2:  # noqa: ASYNC110 - a beat finds out
                await asyncio.sleep(0.01)
        assert await ended(desk, await desk.start("pay")) == b'["a done"]'
