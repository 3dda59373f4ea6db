"""Functions in a Quart application; see `serve_fastapi` for how it is started."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from quart import Quart

from examples.served_shop import app

web = Quart(__name__)
functions, pages = app.serve(), web.asgi_app


@web.get("/")
async def home() -> str:
    """Of the shop itself."""
    return "open"


async def route(scope: Any, receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]]) -> None:
    """The functions are at their path, and Quart everywhere else."""
    ours = scope["type"] == "http" and scope["path"] == "/api/stepwell"
    await (functions if ours else pages)(scope, receive, send)


web.asgi_app = route  # type: ignore[method-assign]
