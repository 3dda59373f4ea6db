"""Functions in a FastAPI application.

    stepwell dev &
    uvicorn examples.serve_fastapi:web &
    stepwell apps add http://127.0.0.1:8000/api/stepwell
"""

from __future__ import annotations

from fastapi import FastAPI

from examples.served_shop import app

web = FastAPI()
web.add_route("/api/stepwell", app.serve())  # pyright: ignore[reportArgumentType] # an ASGI application is a route


@web.get("/")
async def home() -> dict[str, str]:
    """Of the shop itself."""
    return {"shop": "open"}
