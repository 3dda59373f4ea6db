"""A digest in the small hours of Berlin, once every night: also in the one that has no half past two, and in the one
that has two.

    stepwell dev examples/digest.py
    stepwell schedules list
    stepwell schedules run digest/nightly

What happened since the last digest is asked for in a step, so a crash neither loses nor repeats a line.
"""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from stepwell.functions import App, Context, cron

app = App("digest")

BERLIN = ZoneInfo("Europe/Berlin")


def day_before(fired: int) -> str:
    """The day that a digest is about: the one that was over when it was fired, at a time in ms UTC."""
    local = datetime.fromtimestamp(fired / 1000, UTC).astimezone(BERLIN)
    return (local.date() - timedelta(days=1)).isoformat()


def collect(day: str) -> list[str]:
    """What happened on a day; here, always the same."""
    return [f"{day}: 3 orders", f"{day}: 1 complaint"]


def post(lines: list[str]) -> int:
    """Sends the digest; gives its number of lines."""
    return len(lines)


@app.function(on=cron("30 2 * * *", tz="Europe/Berlin", catch_up="all", window="3d"), retries=5)
async def nightly(ctx: Context) -> dict[str, str | int]:
    """Makes and sends the digest of the day before; after an outage, one for each night that was missed."""
    day = day_before(ctx.event.ts)
    lines = await ctx.step.run("collect", collect, day)
    return {"day": day, "lines": await ctx.step.run("post", post, lines)}
