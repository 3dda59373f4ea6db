"""An app that is called over HTTP, as far as the platform sees of it: what it is told, and what it answers."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from stepwell.functions.protocol import FunctionManifest, Manifest, ServedManifest
from stepwell.platform.codec import decode, encode
from stepwell.platform.engine.cards import Cards
from stepwell.platform.executor.remote.app import RemoteApp, session_id
from stepwell.platform.executor.remote.gateway import Gateway
from stepwell.platform.executor.remote.working import work
from stepwell.platform.executor.session import Session
from stepwell.platform.executor.worker import Worker
from stepwell.platform.settings import Settings
from stepwell.platform.store.store import Store
from stepwell.platform.wire.keys import wire_id
from stepwell.platform.wire.replies import Reply, reply_of
from stepwell.platform.wire.slugs import named
from tests.platform_harness import Harness

SDK = {"x-inngest-sdk": "inngest-py:v0.5.19", "x-inngest-req-version": "2"}
URL = "http://127.0.0.1:1/api/inngest?fnId=shop-pay&stepId=step"


@dataclass
class Told:
    """One call, as the app gets it."""

    step: str
    body: dict[str, Any]

    @property
    def steps(self) -> dict[str, Any]:
        """What it is told of steps, by their ids."""
        steps: dict[str, Any] = self.body["steps"]
        return steps

    @property
    def ctx(self) -> dict[str, Any]:
        """The rest of it."""
        context: dict[str, Any] = self.body["ctx"]
        return context

    def knows(self, key: str) -> bool:
        """Whether a step of that key has ended."""
        return wire_id(key) in self.steps

    def of(self, key: str) -> Any:
        """What it is told of a step."""
        return self.steps[wire_id(key)]

    def is_for(self, key: str) -> bool:
        """Whether it is for that one step."""
        return self.step == wire_id(key)


Answer = tuple[int, dict[str, str], bytes]


def answer(status: int, body: Any, **headers: str) -> Answer:
    """What an SDK answers."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return status, SDK | named, body if isinstance(body, bytes) else encode(body)


def op(code: str, key: str = "", **more: Any) -> dict[str, Any]:
    """An operation about a step."""
    return {"op": code, "id": wire_id(key), "displayName": key, "userland": {"id": key}, **more}


def done(key: str, data: Any = None) -> dict[str, Any]:
    """A step that was executed."""
    return op("StepRun", key, data=data)


def ops(*operations: dict[str, Any], **headers: str) -> Answer:
    """Operations as a reply."""
    return answer(206, list(operations), **headers)


def sequence(*keys: str) -> Callable[[Told], Answer]:
    """An app that executes steps one after the other, and returns what it was told of them."""

    def next_of(told: Told) -> Answer:
        for key in keys:
            if not told.knows(key):
                return ops(done(key, f"{key} done"))
        return answer(200, [(told.of(key) or {}).get("data") for key in keys])

    return next_of


@dataclass
class FakeCaller:
    """Stands for the network and the app behind it."""

    handler: Callable[[Told], Answer | Awaitable[Answer]]
    calls: list[Told] = field(default_factory=list[Told])
    failing: Exception | None = None

    def form(self, piece: bytes) -> bytes:
        """See `Caller`."""
        return piece

    async def call(self, url: str, run: str, version: int, body: bytes) -> Reply:
        """See `Caller`."""
        told = Told(parse_qs(urlsplit(url).query)["stepId"][0], decode(body))
        self.calls.append(told)
        if self.failing is not None:
            raise self.failing
        given = self.handler(told)
        status, headers, content = given if isinstance(given, tuple) else await given
        return reply_of(status, headers, content, 0)


class RemoteDesk(Harness):
    """A platform with one function, `shop/pay` on `pay`, of an app that is called over HTTP."""

    caller: FakeCaller
    app: RemoteApp

    @classmethod
    @asynccontextmanager
    async def open(
        cls, store: Store, handler: Callable[[Told], Any], settings: Settings | None = None, **function: Any
    ) -> AsyncGenerator["RemoteDesk"]:
        """With its worker at work."""
        desk = cls(store, [], settings or Settings(retry_interval=1))
        desk.caller = FakeCaller(handler)
        await desk.register(**function)
        await desk.scheduler.tick()
        await desk.serve()
        try:
            yield desk
        finally:
            await desk.stop_worker()
        await desk.forget_everything()
        assert await desk.keys_without_owner() == []

    async def register(self, **function: Any) -> None:
        """Registers the app."""
        given: dict[str, Any] = {"id": "pay", "triggers": [{"event": "pay"}], "retries": {"times": 2}, **function}
        manifest = FunctionManifest(url=URL, **given)
        served = ServedManifest(url=URL)
        await self.registry.register(Manifest(id="shop", version="1", functions=[manifest], served=served))

    async def serve(self) -> None:
        """Has a worker for it."""
        manifest = self.registry.snapshot.apps["shop"]
        gateway = Gateway.of(self.settings, private=True)
        self.app = RemoteApp(manifest, self.caller, self.named, self.settings, self.clock, gateway)
        self.worker = Worker(
            self.partitions,
            self.app,
            self.ingest,
            self.waits,
            self.clock,
            self.settings,
            Session(session_id()),
        )
        cards = Cards(self.partitions[0])
        self._working = asyncio.create_task(work(self.worker, self.app, cards, self.settings, self.clock))

    def named(self, slug: str) -> str:
        """See `RemoteApps`."""
        return named(slug, self.registry.snapshot) or slug
