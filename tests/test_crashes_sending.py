"""The server dies while a client sends: what was acknowledged has happened once, and no client saw an error."""

import asyncio
from pathlib import Path
from random import Random

import pytest

from stepwell.client import Client, Event
from tests.crash_crew import Crew, crew
from tests.crash_stack import eventually

KILLS = 4
SENDERS = 6


@pytest.mark.slow
async def test_events_sent_again_after_a_lost_answer_start_nothing_twice(short_path: Path) -> None:
    random = Random("sending")
    async with crew(short_path, expiry=3) as platform:
        stop = asyncio.Event()
        async with asyncio.TaskGroup() as group, platform.stack.client() as client:
            senders = [group.create_task(_send(client, stop, number)) for number in range(SENDERS)]
            for _ in range(KILLS):
                await asyncio.sleep(random.uniform(0.1, 0.5))
                await platform.stack.kill("server", random)
                await platform.stack.ready()
            stop.set()
            ids = [id for sender in senders for id in await sender]
        assert len(ids) == len(set(ids)) > KILLS * SENDERS
        await eventually(lambda: _settled(platform))
        counts = await platform.installation.history.counts()
        assert (counts.completed, counts.failed) == (len(ids), 0)
        counted = [execution.subject for execution in platform.ledger.executions()]
        assert sorted(counted) == sorted(ids)


async def _send(client: Client, stop: asyncio.Event, number: int) -> list[str]:
    """Sends one event after the other, or a few at once; gives the ids of the answers."""
    ids: list[str] = []
    while not stop.is_set():
        ids += await client.send([Event("count", {"from": number})] * (1 + number % 3))
        await asyncio.sleep(0.05)
    return ids


async def _settled(platform: Crew) -> bool:
    return (await platform.installation.history.counts()).unfinished == 0
