"""An app of the official Python SDK with one function of three steps.

Usage: `python -m bench.sdk_app PORT`
"""

import logging
import sys

import fastapi
import uvicorn
from inngest import Context, Inngest, TriggerEvent
from inngest.fast_api import serve

app = fastapi.FastAPI()
client = Inngest(app_id="bench-python", logger=logging.getLogger("uvicorn"))


async def one() -> int:
    return 1


@client.create_function(fn_id="three", trigger=TriggerEvent(event="bench-python/three"))
async def three(ctx: Context) -> int:
    return sum([await ctx.step.run(id, one) for id in ("a", "b", "c")])


serve(app, client, [three])

if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="warning")
