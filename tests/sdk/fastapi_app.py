"""An async app of the official Python SDK on FastAPI; a second one, with streamed replies, is beside it.

Usage: `python -m tests.sdk.fastapi_app PORT`
"""

import logging
import sys

import fastapi
import uvicorn
from inngest import Inngest, Streaming
from inngest.fast_api import serve

from tests.sdk.async_stories import FAILED, HANDLERS
from tests.sdk.serving import functions

app = fastapi.FastAPI()
client = Inngest(app_id="fastapi", logger=logging.getLogger("uvicorn"))
serve(app, client, functions(client, HANDLERS, FAILED))

streamed = Inngest(app_id="fastapi_streamed", logger=logging.getLogger("uvicorn"))
serve(
    app,
    streamed,
    functions(streamed, {id: HANDLERS[id] for id in ("three", "flaky", "parallel", "broken")}, {}),
    serve_path="/api/streamed",
    streaming=Streaming.FORCE,
)

if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="warning")
