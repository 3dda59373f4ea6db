"""Functions in a Starlette application; see `serve_fastapi` for how it is started."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from examples.served_shop import app


async def home(_: Request) -> PlainTextResponse:
    """Of the shop itself."""
    return PlainTextResponse("open")


web = Starlette(routes=[Route("/api/stepwell", app.serve()), Route("/", home)])
