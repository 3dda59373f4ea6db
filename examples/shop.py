"""An online shop: an order is charged, packed and labelled, and shipped; what cannot be shipped is refunded.

    stepwell dev examples/shop.py       in one terminal
    python examples/feed.py             in another: the 300 orders of a day

A card whose token begins with `tok_declined_` is declined, which no retry mends. The carrier fails the first tries of
some orders, and has no label at all for a few: which ones depends on the order's id alone. All side effects go to the
ledger of ledger.py, so that they can be counted.

Environment: SHOP_LEDGER (path of the ledger), SHOP_COOL_OFF ("2s", between charging and packing), SHOP_RETRY_DELAY
("500ms", before the carrier is asked again).
"""

from __future__ import annotations

import asyncio
import os
from decimal import Decimal
from typing import Literal
from zlib import crc32

from ledger import Ledger  # type: ignore[import-not-found]  # a neighbour: the folder of a target is on its path
from pydantic import BaseModel

from stepwell.functions import (
    App,
    Concurrency,
    Context,
    Event,
    NonRetriable,
    Retries,
    StepFailed,
    SyncContext,
)

COOL_OFF = os.environ.get("SHOP_COOL_OFF", "2s")
CARRIER = Retries(3, delay=os.environ.get("SHOP_RETRY_DELAY", "500ms"), factor=2)

app = App("shop")


class Customer(BaseModel):
    id: str = "cus_unknown"
    name: str = "friend"


class Item(BaseModel):
    sku: str
    qty: int


class Card(BaseModel):
    token: str = "tok_visa_0"


class Order(BaseModel):
    """The data of `order.placed`, as far as the shop looks at it; an event without data is an order too."""

    id: str = "SW-1"
    total: Decimal = Decimal(40)
    currency: str = "EUR"
    items: list[Item] = []
    customer: Customer = Customer()
    card: Card = Card()


class Shipment(BaseModel):
    """The data of `order.shipped`."""

    order: str
    customer: Customer
    tracking: str


class Fulfilment(BaseModel):
    """How an order ended."""

    status: Literal["shipped", "refunded"]
    tracking: str | None = None


class CardDeclined(NonRetriable):
    """The bank said no, and will say so again."""


class CarrierDown(Exception):
    """The carrier gave no label; it may at another time."""


# At most two orders of one customer are worked on at once. An order that sleeps does not count.
@app.function(on="order.placed", concurrency=Concurrency(2, key="event.data.customer.id"))
async def fulfil(ctx: Context[Order]) -> Fulfilment:
    """Takes an order from payment to the carrier."""
    await ctx.step.run("charge", charge, ctx)  # declined: StepFailed, which fails the run
    await ctx.step.sleep("cool-off", COOL_OFF)
    parcel, tracking = await asyncio.gather(ctx.step.run("pack", pack, ctx), labelled(ctx))
    if tracking is None:
        await ctx.step.run("refund", refund, ctx)
        await ctx.step.run(
            "apologise", mail, ctx, f"Order {ctx.data.id} cannot be sent. Your money is on its way back."
        )
        return Fulfilment(status="refunded")
    await ctx.step.run("ship", ship, ctx, parcel, tracking)
    shipment = Shipment(order=ctx.data.id, customer=ctx.data.customer, tracking=tracking)
    await ctx.step.send("announce", Event("order.shipped", shipment))
    await ctx.step.run("confirm", mail, ctx, f"Order {ctx.data.id} is on its way: {tracking}.")
    return Fulfilment(status="shipped", tracking=tracking)


async def labelled(ctx: Context[Order]) -> str | None:
    """The carrier's tracking number; None when the carrier has failed for good.

    It is caught here, in its branch, so that packing beside it is finished whatever happens.
    """
    try:
        return await ctx.step.options(retries=CARRIER).run("label", label, ctx)
    except StepFailed as failure:
        ctx.log.warning("%s", failure)
        return None


@app.function(on="order.shipped")
def thank(ctx: SyncContext[Shipment]) -> int:
    """Thanks the customer, and gives points, both at once; a plain `def` handler, which runs in a thread."""
    _, points = ctx.step.parallel(
        lambda: ctx.step.run("thanks", thanks, ctx),
        lambda: ctx.step.run("points", award, ctx),
    )
    return points


# The bodies of the steps. `ctx.idempotency_key` is the same at every attempt of a step: should a crash come between
# the payment and its record, the body runs again, and the provider recognises the key.


def charge(ctx: Context[Order]) -> None:
    order = ctx.data
    with ledger().body("charge", order.id, ctx.run_id):
        if order.card.token.startswith("tok_declined_"):
            raise CardDeclined(f"{order.card.token} was declined for {order.total} {order.currency}")
        ledger().pay(ctx.idempotency_key, order.id, order.total)


def refund(ctx: Context[Order]) -> None:
    with ledger().body("refund", ctx.data.id, ctx.run_id):
        ledger().pay(ctx.idempotency_key, ctx.data.id, -ctx.data.total)


def pack(ctx: Context[Order]) -> int:
    with ledger().body("pack", ctx.data.id, ctx.run_id):
        return sum(item.qty for item in ctx.data.items)


def label(ctx: Context[Order]) -> str:
    order = ctx.data.id
    with ledger().body("label", order, ctx.run_id) as attempt:
        if attempt <= refusals(order):
            raise CarrierDown(f"no label for {order} at attempt {attempt}")
        return f"TRACK-{crc32(order.encode()):08X}"


def ship(ctx: Context[Order], pieces: int, tracking: str) -> None:
    with ledger().body("ship", ctx.data.id, ctx.run_id):
        ctx.log.info("%s leaves with %s pieces as %s", ctx.data.id, pieces, tracking)


def mail(ctx: Context[Order], text: str) -> None:
    with ledger().body("mail", ctx.data.id, ctx.run_id):
        ctx.log.info("to %s: %s", ctx.data.customer.name, text)


def thanks(ctx: SyncContext[Shipment]) -> None:
    with ledger().body("thanks", ctx.data.order, ctx.run_id):
        ctx.log.info("Thank you, %s!", ctx.data.customer.name)


def award(ctx: SyncContext[Shipment]) -> int:
    with ledger().body("points", ctx.data.order, ctx.run_id):
        return 10


def refusals(order: str) -> int:
    """How many tries the carrier fails before it gives a label: none for most orders, all of them for some."""
    luck = crc32(order.encode()) % 100
    return 1_000_000 if luck < 4 else luck % 3 if luck < 25 else 0


def ledger() -> Ledger:
    """Where side effects are counted."""
    return Ledger.of_environment()
