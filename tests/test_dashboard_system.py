"""The page of the platform: its servers, its limits, and what it keeps."""

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path

import httpx2
import pytest

from stepwell.platform.clock import SystemClock
from stepwell.platform.doctor import glance as glances
from stepwell.platform.doctor.finding import warning, wrong
from stepwell.platform.doctor.glance import Glance, ServerFacts, glance
from stepwell.platform.engine.partition import partitions_of
from stepwell.platform.settings import Settings
from stepwell.platform.store.memory import memory_store
from stepwell.platform.store.store import Store
from tests.redis_servers import Server
from tests.test_dashboard_pages import Pages, read, words

SERVER = ServerFacts("db:6379", "Valkey 8.1", 1 << 30, 2 << 30, 90_000_000, 12, "noeviction", "append-only file")


@pytest.fixture
async def pages() -> AsyncGenerator[Pages]:
    async with Pages.open() as pages:
        yield pages


@pytest.fixture
async def client(pages: Pages) -> AsyncGenerator[httpx2.AsyncClient]:
    async with pages.client() as client:
        yield client


async def test_it_tells_what_it_is_what_it_keeps_and_its_limits(pages: Pages, client: httpx2.AsyncClient) -> None:
    await pages.failed()
    await pages.sleeping()
    html = await read(client, "/system")
    text = words(html)
    for said in (
        "Mode development",
        "Partitions 1",
        "Examination all is fine",
        "Runs 2",
        "Failed 1",
        "Events 2",
        "Armed timers 1",
        "Functions 3",
        "Size of an event 512.0 KiB STEPWELL_MAX_EVENT_BYTES",
        "Finished runs and events 7 days STEPWELL_RETENTION_DAYS",
        "stepwell doctor --deep",
    ):
        assert said in text
    assert 'href="/api/v1/openapi.json"' in html


async def test_servers_and_what_is_wrong_with_them(client: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = warning("clock", "this machine's clock is 3.0 s behind", "Let both follow NTP")
    lost = wrong("append-only", "append-only is off", "Set `appendonly yes`")

    async def seen(*_: object) -> Glance:
        return Glance((SERVER,), (clock, lost))

    monkeypatch.setattr("stepwell.dashboard.system.view.glance", seen)
    text = words(await read(client, "/system"))
    assert "Examination 2 to look after Wrong Append-only Append-only is off Set `appendonly yes`." in text
    assert "To look after Clock This machine&#39;s clock is 3.0 s behind" in text
    assert "Valkey 8.1 db:6379 1.0 GiB of 2.0 GiB, 50 % append-only file noeviction 12 1 d 1 h" in text


async def test_servers_that_do_not_answer_in_time_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(glances, "WITHIN", 0.01)
    async with memory_store() as store:

        async def never(*_: object) -> dict[str, bytes]:
            await asyncio.Event().wait()
            return {}

        monkeypatch.setattr(store, "every_server", never)
        seen = await glance(store, partitions_of(store, SystemClock()), Settings(), SystemClock())
    assert [finding.level for finding in seen.findings] == ["wrong"]
    assert "did not answer within" in seen.findings[0].text


async def test_a_real_server_describes_itself(redis_server: Server, tmp_path: Path) -> None:
    settings = Settings(redis_url=redis_server.url, data_dir=tmp_path)
    async with Store.open(settings) as store:
        seen = await glance(store, partitions_of(store, SystemClock()), settings, SystemClock())
    [server] = seen.servers
    assert server.product.startswith("Redis ")
    assert server.used
    assert server.policy == "noeviction"
    assert {finding.about for finding in seen.findings} >= {"memory", "append-only", "eviction", "clock"}
    assert seen.findings[-1].about.startswith("scheduler"), "nobody looks after timers here"
    assert seen.findings[-1].level == "warning"
