"""Functions that are started by the clock, as many as `BENCH_SCHEDULES` says, each at a time of its own."""

import os
from typing import Any

from stepwell.functions import App, Context, cron

app = App("crowd")


async def tidy(ctx: Context[Any]) -> int:
    """Does nothing."""
    return int(ctx.event.ts)


for number in range(int(os.environ["BENCH_SCHEDULES"])):
    # One minute of January each, so that the clock starts none of them by itself while they are measured, mostly.
    day, minute = divmod(number, 1_440)
    app.function(id=f"tidy-{number}", on=cron(f"{minute % 60} {minute // 60} {1 + day} 1 *"))(tidy)
