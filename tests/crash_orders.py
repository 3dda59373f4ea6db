"""Orders for the example shop while it is killed: sent, remembered when acknowledged, and how each has to end."""

import asyncio
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any, Literal, TypeAlias

import pytest

from stepwell.client import Client, Event
from stepwell.platform.target import load_apps

Fate: TypeAlias = Literal["shipped", "refunded", "declined"]

EXAMPLES = Path(__file__).parents[1] / "examples"
SHOP = EXAMPLES / "shop.py"
TRIES = 4
"""Of the carrier, whose refusals the shop's code decides."""


@dataclass(frozen=True, slots=True)
class Order:
    """An order as it was sent; `id` is that of its data, `sender_id` that of its event."""

    id: str
    sender_id: str
    total: Decimal
    fate: Fate
    event: Event


class OrderBook:
    """Makes orders that differ from each other, out of those of the example's file.

    Args:
        refusals: of the shop: how often the carrier refuses an order.
    """

    def __init__(self, refusals: Callable[[str], int]) -> None:
        lines = [json.loads(line) for line in (EXAMPLES / "orders.jsonl").read_text("utf-8").splitlines()]
        self._lines = list({line["id"]: line for line in lines}.values())
        self._refusals = refusals
        self._made = 0

    @classmethod
    def of_the_shop(cls) -> "OrderBook":
        """With the refusals of examples/shop.py, loaded as a worker loads it."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sys, "path", sys.path.copy())
            for name in ("shop", "ledger"):
                patch.delitem(sys.modules, name, raising=False)
            [app] = load_apps(str(SHOP))
            for name in ("shop", "ledger"):
                patch.delitem(sys.modules, name, raising=False)
        return cls(app.functions["fulfil"].handler.__globals__["refusals"])

    def more(self, count: int) -> list[Order]:
        """The next so many orders; each once, however many there are."""
        self._made += count
        return [self._order(number) for number in range(self._made - count, self._made)]

    def _order(self, number: int) -> Order:
        # The stride brings declined and flaky ones among the first, whatever the order of the file.
        line = self._lines[number * 7 % len(self._lines)]
        id = f"{line['data']['id']}-{number}"
        data: dict[str, Any] = {**line["data"], "id": id}
        event = Event(line["name"], data, id=f"{id}-placed")
        return Order(id, f"{id}-placed", Decimal(str(data["total"])), self._fate(id, data["card"]["token"]), event)

    def _fate(self, id: str, card: str) -> Fate:
        if card.startswith("tok_declined_"):
            return "declined"
        return "refunded" if self._refusals(id) >= TRIES else "shipped"


@dataclass
class Acknowledged:
    """What the platform has promised to do.

    Args:
        orders: those that were acknowledged.
        events: id of the sender -> ids that the acknowledgements gave it.
    """

    orders: list[Order] = field(default_factory=list[Order])
    events: dict[str, set[str]] = field(default_factory=dict[str, set[str]])

    async def send(self, client: Client, orders: Sequence[Order], random: Random) -> None:
        """Sends orders in small lots, one in four of them twice, and remembers the acknowledged ones."""
        rest = [*orders]
        while rest:
            lot, rest = rest[:4], rest[4:]
            again = [order for order in lot if random.random() < 0.25]
            await asyncio.gather(self._send(client, lot), *[self._send(client, [order]) for order in again])
            self.orders += lot
            await asyncio.sleep(random.uniform(0.02, 0.15))

    async def _send(self, client: Client, lot: Sequence[Order]) -> None:
        for order, id in zip(lot, await client.send([order.event for order in lot]), strict=True):
            self.events.setdefault(order.sender_id, set()).add(id)
