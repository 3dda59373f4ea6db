"""A saga: what was booked is cancelled again, latest first, when something later cannot be booked.

    stepwell dev examples/trip.py
    stepwell send trip.wanted '{"to": "Oslo", "full": "car"}'

Each booking is a step, so a crash books nothing twice; each cancellation is one as well, so none is forgotten.
"""

from collections.abc import Sequence

from stepwell.functions import App, Context, NonRetriable, StepFailed

app = App("trips")

PARTS = ("flight", "hotel", "car")


class SoldOut(NonRetriable):
    """Trying again would not help."""


def book(part: str, to: str, full: str) -> str:
    """Books one part; gives the number of the booking."""
    if part == full:
        raise SoldOut(f"no {part} to {to} is left")
    return f"{part}-{to.lower()}-1"


def cancel(booking: str) -> None:
    """Cancels a booking. It may be asked twice, and does nothing the second time."""


@app.function(on="trip.wanted", retries=3)
async def trip(ctx: Context) -> dict[str, list[str]]:
    """Books all parts or none."""
    booked: list[str] = []
    for part in PARTS:
        try:
            booked.append(await ctx.step.run(f"book-{part}", book, part, ctx.data["to"], ctx.data.get("full", "")))
        except StepFailed:
            return {"cancelled": await undo(ctx, booked)}
    return {"booked": booked}


async def undo(ctx: Context, booked: Sequence[str]) -> list[str]:
    """Cancels what was booked, latest first."""
    latest_first = list(reversed(booked))
    for booking in latest_first:
        await ctx.step.run(f"cancel-{booking}", cancel, booking)
    return latest_first
