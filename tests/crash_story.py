"""The order flow over a stack that is killed meanwhile: what was sent, what is recorded, and the judgement."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random

import orjson

from examples.ledger import Ledger
from stepwell.platform.clock import SystemClock
from stepwell.platform.doctor.examination import examine
from stepwell.platform.errors import StoreUnavailable
from stepwell.platform.installation import Installation
from stepwell.platform.records import StepRow
from stepwell.platform.settings import Settings
from stepwell.platform.store.store import Store
from tests.crash_orders import Acknowledged, Order, OrderBook
from tests.crash_proof import Recorded, Story, extra, violations
from tests.crash_stack import VICTIMS, Stack, Victim, eventually

SETTLED_WITHIN = 90.0
"""Seconds after the last kill within which every run has to have ended."""


@dataclass
class Flow:
    """Orders sent to a stack.

    Args:
        stack: with the shop.
        ledger: of the shop.
        book: where orders come from.
        installation: over the Redis of the stack, to look behind it.
        acknowledged: what it has promised so far.
    """

    stack: Stack
    ledger: Ledger
    book: OrderBook
    installation: Installation
    acknowledged: Acknowledged = field(default_factory=Acknowledged)

    async def kill(self, victim: Victim, orders: int, random: Random, most: float = 0.6) -> None:
        """Kills a process at a random moment within `most` seconds, in the midst of so many new orders."""
        await asyncio.sleep(random.uniform(0, most))
        async with self.stack.client() as client, asyncio.TaskGroup() as group:
            # A generator of its own: how many numbers the sending draws must not shift the next kill.
            group.create_task(self.acknowledged.send(client, self.book.more(orders), Random(random.random())))
            await asyncio.sleep(random.uniform(0, 0.6))
            await self.stack.kill(victim, random)

    async def settle(self) -> None:
        """Returns when nothing is left to do. Fails when that takes too long."""
        try:
            await self.stack.ready()
            await eventually(self._settled, SETTLED_WITHIN)
        except TimeoutError:
            counts = await self.installation.history.counts()
            raise AssertionError(f"there are runs that do not end: {counts}\n{self.stack.said()}") from None

    async def broken_promises(self) -> list[str]:
        """All that is wrong with what was acknowledged so far; empty when nothing is."""
        stories = [await self._story(order) for order in self.acknowledged.orders]
        found = violations(stories, self.ledger.executions(), self.stack.kills)
        for function, count in (("fulfil", len(stories)), ("thank", sum(len(story.thank) for story in stories))):
            view = await self.installation.history.function(f"shop/{function}")
            if view is None or view.runs != count:
                found.append(f"there are {view and view.runs} runs of {function}, not {count}")
        settings = self.installation.settings
        for finding in await examine(self.installation.store, settings, SystemClock(), deep=True):
            if finding.level == "wrong":
                found.append(f"{finding.about}: {finding.text}")
        return found + [f"{name} printed a traceback" for name in self.stack.tracebacks()]

    def summary(self) -> str:
        """One line of figures."""
        executions = self.ledger.executions()
        kills = [kill.victim for kill in self.stack.kills]
        parts = [
            "kills " + " ".join(f"{victim}={kills.count(victim)}" for victim in VICTIMS),
            f"orders {len(self.acknowledged.orders)}",
            f"bodies {len(executions)}",
            f"cut off {sum(execution.ended is None for execution in executions)}",
            f"executed again {extra(executions)}",
        ]
        return ", ".join(parts)

    async def _settled(self) -> bool:
        try:
            return (await self.installation.history.counts()).unfinished == 0
        except StoreUnavailable:
            return False

    async def _story(self, order: Order) -> Story:
        ids = self.acknowledged.events[order.sender_id]
        fulfil = [recorded for id in ids for recorded in await self._runs(id)]
        announced = [id for recorded in fulfil for id in _announced(recorded.steps.get("announce"))]
        thank = [recorded for id in announced for recorded in await self._runs(id)]
        return Story(order, ids, fulfil, thank, self.ledger.payments(order.id))

    async def _runs(self, event: str) -> list[Recorded]:
        history = self.installation.history
        found = await history.event(event)
        views = await history.event_runs(found) if found else ()
        steps: Sequence[Sequence[StepRow] | None] = [await history.steps(view.run.id) for view in views]
        return [
            Recorded(view.run, {row.key: row for row in rows or ()}) for view, rows in zip(views, steps, strict=True)
        ]


def _announced(row: StepRow | None) -> list[str]:
    ids: list[str] = orjson.loads(row.payload) if row and row.payload else []
    return ids


def flow(stack: Stack, ledger: Ledger, store: Store) -> Flow:
    """The order flow of a stack whose Redis `store` is open over."""
    installation = Installation.over(store, Settings(redis_url=stack.redis.url), SystemClock())
    return Flow(stack, ledger, OrderBook.of_the_shop(), installation)
