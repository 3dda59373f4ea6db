"""An app of the official Python SDK that is killed: three steps and a sleep, each body of which is written down.

Usage: `python -m tests.sdk.crash_app PORT`
"""

import asyncio
import datetime
import logging
import sys
from time import time_ns

import fastapi
import uvicorn
from inngest import Context, Inngest, TriggerEvent
from inngest.fast_api import serve

from tests.sdk.ledger import tell

app = fastapi.FastAPI()
client = Inngest(app_id="crashing", logger=logging.getLogger("uvicorn"))


@client.create_function(fn_id="work", trigger=TriggerEvent(event="work"))
async def work(ctx: Context) -> list[str]:
    """Gives what its steps have given."""

    async def body(step: str) -> str:
        tell(ctx.run_id, f"{step} {time_ns() // 1_000_000}")
        await asyncio.sleep(0.03)
        return step

    async def named(step: str) -> str:
        return await ctx.step.run(step, body, step)

    first = await named("first")
    await ctx.step.sleep("nap", datetime.timedelta(seconds=1))
    return [first, await named("second"), await named("third")]


serve(app, client, [work])

if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="warning")
