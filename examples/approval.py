"""Orders over a limit need somebody's approval: who is asked is reminded, and after that somebody else is asked.

    stepwell dev examples/approval.py
    stepwell send order.placed '{"id": "A-1", "total": 1200}'
    stepwell send order.approved '{"id": "A-1", "by": "Ada"}'

An approval that comes before it is asked for counts too, and so does one that comes in the middle of the escalation.
"""

from stepwell.functions import App, Context, First, event, on_event

app = App("approvals")

PEOPLE = ("clerk@example.org", "head@example.org")
"""Who is asked, one after the other."""
PATIENCE = "2d"


def ask(who: str, order: str, again: bool) -> str:
    """Writes to somebody; here, only says so."""
    return f"{'reminded' if again else 'asked'} {who} about {order}"


async def decision(ctx: Context, step: str) -> First:
    """Waits for somebody to decide, but not for ever."""
    return await ctx.step.wait_for_any(
        step,
        {
            "approved": on_event("order.approved", match="data.id"),
            "rejected": on_event("order.rejected", match="data.id"),
            "nothing": PATIENCE,
        },
    )


@app.function(on=event("order.placed", if_="event.data.total > 1000"))
async def approve(ctx: Context) -> str:
    """Asks each person, reminds them once, and gives up in the end."""
    order = ctx.data["id"]
    for who in PEOPLE:
        for again in (False, True):
            await ctx.step.run("ask", ask, who, order, again)
            first = await decision(ctx, "decision")
            if first.event is not None:
                return f"{first.name} by {first.event.data['by']}"
    await ctx.step.send("give-up", {"name": "order.rejected", "data": {"id": order, "by": "nobody"}})
    return "nobody has decided"
