"""`kill -9` of every process, at random moments, over the order flow: what is promised holds whatever dies.

Redis runs with `appendfsync always` here. With `everysec` it holds writes back for as long as a sync takes, 2 s at
most, and answers all the same: what it had answered then is lost when Redis itself is killed at such a moment.
"""

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import Literal

import pytest

from examples.ledger import Ledger
from stepwell.platform.settings import Settings
from stepwell.platform.store.store import Store
from tests.crash_orders import SHOP
from tests.crash_stack import VICTIMS, Victim, stack
from tests.crash_story import Flow, flow

pytestmark = pytest.mark.slow


@asynccontextmanager
async def shop_in(folder: Path, expiry: float, kind: Literal["redis", "valkey"] = "redis") -> AsyncGenerator[Flow]:
    """The shop, over a stack of its own with sessions of so many seconds."""
    ledger = Ledger(folder / "ledger.sqlite")
    hurry = {"SHOP_LEDGER": str(ledger.path), "SHOP_COOL_OFF": "200ms", "SHOP_RETRY_DELAY": "50ms"}
    # A run may be hit more often here than any crash limit allows for.
    calm = {"STEPWELL_CRASH_LIMIT": "100", "STEPWELL_SESSION_EXPIRY": str(expiry)}
    async with (
        stack(folder, SHOP, hurry | calm, {"appendfsync": "always"}, kind) as running,
        Store.open(Settings(redis_url=running.redis.url)) as store,
    ):
        yield flow(running, ledger, store)


@pytest.fixture(scope="module")
async def shop(session_path: Path) -> AsyncGenerator[Flow]:
    folder = session_path / "crashes"
    folder.mkdir()
    async with shop_in(folder, expiry=3) as running:
        yield running


@pytest.mark.parametrize("victim", VICTIMS)
async def test_two_kills_of_a_process_break_no_promise(shop: Flow, victim: Victim) -> None:
    random = Random(f"short {victim}")
    for _ in range(2):
        await shop.kill(victim, 12, random)
    await shop.settle()
    broken = await shop.broken_promises()
    assert broken == [], "\n".join([*broken, shop.stack.said()])


@pytest.mark.soak
@pytest.mark.timeout(1800)
async def test_fifty_kills_of_each_process_break_no_promise(
    short_path: Path, say: Callable[[str], None], seed: int
) -> None:
    random = Random(seed)
    victims: list[Victim] = [victim for victim in VICTIMS for _ in range(50)]
    random.shuffle(victims)
    say(f"crash soak with --soak-seed {seed}")
    async with shop_in(short_path, expiry=3) as shop:
        for victim in victims:
            await shop.kill(victim, 8, random, most=3.0)
        await shop.settle()
        broken = await shop.broken_promises()
        say(f"crash soak with --soak-seed {seed}: {shop.summary()}, violations {len(broken)}")
        assert broken == [], "\n".join([*broken, shop.stack.said()])


@pytest.mark.soak
@pytest.mark.timeout(600)
async def test_killed_workers_cost_no_more_than_the_usual_expiry(
    short_path: Path, say: Callable[[str], None], seed: int
) -> None:
    random = Random(seed)
    async with shop_in(short_path, expiry=15, kind="valkey") as shop:
        for _ in range(5):
            await shop.kill("worker", 12, random, most=10.0)
            await shop.kill("redis", 12, random, most=10.0)
        await shop.settle()
        broken = await shop.broken_promises()
        say(f"crash soak, sessions of 15 s, with --soak-seed {seed}: {shop.summary()}, violations {len(broken)}")
        assert broken == [], "\n".join([*broken, shop.stack.said()])
