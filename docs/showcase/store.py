"""A small online store that has something of everything, for the pictures of the dashboard.

    stepwell dev docs/showcase/store.py

`feed.py` beside it sends what keeps it busy.
"""

import asyncio
from typing import Any

from stepwell.functions import (
    App,
    Concurrency,
    Context,
    Debounce,
    NonRetriable,
    RateLimit,
    Retries,
    StepFailed,
    Throttle,
    cron,
    event,
)

app = App("store")


class CardDeclined(NonRetriable):
    """The bank says no."""


class Bank:
    """What stands for the bank."""

    def authorize(self, order: dict[str, Any]) -> str:
        if order["card"].startswith("tok_declined"):
            raise ConnectionRefusedError(f"issuer refused {order['card']}: insufficient funds")
        return f"auth_{order['id']}"


async def reserve(order: dict[str, Any]) -> dict[str, Any]:
    await asyncio.sleep(0.05)
    return {"warehouse": "Porto-2", "items": order["items"], "reserved": True}


def charge(order: dict[str, Any]) -> dict[str, Any]:
    try:
        authorization = Bank().authorize(order)
    except ConnectionRefusedError as refused:
        raise CardDeclined(f"the card of order {order['id']} was declined") from refused
    return {"authorization": authorization, "amount": order["total"], "currency": "EUR"}


async def label(ctx: Context[Any], order: dict[str, Any]) -> dict[str, str]:
    ctx.log.info("asking the carrier", extra={"order": order["id"], "parcels": 1})
    await asyncio.sleep(0.12)
    if order["country"] == "IS":
        raise TimeoutError("the carrier did not answer within 10 s")
    return {"carrier": "DPD", "tracking": f"DPD{order['id'][2:]}77"}


@app.function(on="order.placed", retries=Retries(4, delay="20s"), concurrency=Concurrency(2, key="event.data.customer"))
async def fulfil(ctx: Context[Any]) -> dict[str, Any]:
    order = ctx.data
    ctx.log.info("order taken", extra={"order": order["id"], "total": order["total"]})
    stock, payment = await asyncio.gather(
        ctx.step.run("reserve", reserve, order), ctx.step.run("charge", charge, order)
    )
    ctx.log.debug("paid by %s", payment["authorization"])
    await ctx.step.sleep("cool-off", "2s")
    if order["total"] > 400:
        approval = await ctx.step.wait_for_event("approval", "order.approved", match="data.id", timeout="2d")
        if approval is None:
            return {"order": order["id"], "state": "not approved"}
    parcel = await ctx.step.run("label", label, ctx, order)
    await ctx.step.send("shipped", {"name": "order.shipped", "data": {"id": order["id"], **parcel}})
    return {"order": order["id"], "warehouse": stock["warehouse"], **parcel}


@app.function(on="order.shipped", throttle=Throttle(30, "1m", burst=10))
async def notify(ctx: Context[Any]) -> str:
    return await ctx.step.run("mail", mail, ctx.data)


def mail(shipment: dict[str, Any]) -> str:
    return f"sent for {shipment['id']}"


@app.function(on="catalog.uploaded", concurrency=Concurrency(1))
async def import_catalog(ctx: Context[Any]) -> dict[str, int]:
    return await ctx.step.run("read", read, ctx, ctx.data["products"])


async def read(ctx: Context[Any], products: int) -> dict[str, int]:
    for done in range(0, products, 25):
        ctx.progress(done / products, f"{done} of {products} products")
        ctx.log.info("read %d products", done)
        await asyncio.sleep(0.4)
    ctx.log.warning("%d products have no picture", products // 12)
    return {"products": products}


@app.function(
    on=event("product.changed", if_="event.data.public == true"), debounce=Debounce("10s", key="event.data.sku")
)
async def reindex(ctx: Context[Any]) -> str:
    return await ctx.step.run("index", str, ctx.data["sku"])


@app.function(on="cart.abandoned", rate_limit=RateLimit(1, "1h", key="event.data.customer"))
async def remind(ctx: Context[Any]) -> str:
    await ctx.step.sleep("a-while", "4h")
    return await ctx.step.run("mail", mail, {"id": ctx.data["customer"]})


@app.function(on=cron("0 6 * * *", tz="Europe/Lisbon"))
async def daily_report(ctx: Context[Any]) -> str:
    return await ctx.step.run("sum-up", lambda: "42 orders")


@app.function(on=cron("*/15 * * * *", tz="UTC"))
async def sync_stock(ctx: Context[Any]) -> int:
    return await ctx.step.run("pull", lambda: 1280)


@app.function(on="order.returned")
async def refund(ctx: Context[Any]) -> str:
    try:
        await ctx.step.run("inspect", inspect, ctx.data)
    except StepFailed as failure:
        ctx.log.error("%s", failure)
        raise
    return "refunded"


def inspect(parcel: dict[str, Any]) -> None:
    raise ValueError(f"parcel {parcel['id']} has no weight: {{'scale': None}}")
