"""Functions in a FastAPI application.

stepwell dev &
uvicorn examples.serve_fastapi:web &
stepwell apps add http://127.0.0.1:8000/api/stepwell
"""

from __future__ import annotations

from fastapi import FastAPI
from starlette.routing import Route

from examples.served_shop import app

web = FastAPI()
web.router.routes.append(Route("/api/stepwell", app.serve()))


@web.get("/")
async def home() -> dict[str, str]:
    """Of the shop itself."""
    return {"shop": "open"}
