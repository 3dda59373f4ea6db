"""The functions of the examples that are part of a web application: an order is charged, and shipped a moment later."""

from __future__ import annotations

from typing import Any

from stepwell.functions import App, Context, SyncContext

app = App("shop")


@app.function(on="order.placed")
async def fulfil(ctx: Context[Any]) -> str:
    """Each step is recorded when it has ended, so none is repeated when the web application is restarted."""
    payment = await ctx.step.run("charge", charge, ctx.data["id"])
    await ctx.step.sleep("second thoughts", "1s")
    return f"shipped {ctx.data['id']}, {payment}"


@app.function(on="order.placed")
def thank(ctx: SyncContext[Any]) -> str:
    """A `def` handler runs in a thread, as in a worker."""
    return ctx.step.run("mail", lambda: f"thanks for {ctx.data['id']}")


def charge(order: str) -> str:
    """Stands for a call of the bank."""
    return f"paid as P-{order}"
