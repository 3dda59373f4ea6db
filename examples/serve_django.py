"""Functions beside a Django application, in its `asgi.py`; see `serve_fastapi` for how it is started."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import django  # type: ignore[import-untyped]
from django.conf import settings  # type: ignore[import-untyped]
from django.core.asgi import get_asgi_application  # type: ignore[import-untyped]
from django.http import HttpRequest, HttpResponse  # type: ignore[import-untyped]
from django.urls import path  # type: ignore[import-untyped]

from examples.served_shop import app


def home(_: HttpRequest) -> HttpResponse:
    """Of the shop itself."""
    return HttpResponse(b"open")


urlpatterns = [path("", home)]
settings.configure(ALLOWED_HOSTS=["127.0.0.1"], ROOT_URLCONF=__name__, SECRET_KEY="for an example")
django.setup()
pages = get_asgi_application()
functions = app.serve()


async def web(
    scope: dict[str, Any],
    receive: Callable[[], Awaitable[Any]],
    send: Callable[[Any], Awaitable[None]],
) -> None:
    """The functions are at their path, and Django everywhere else; it knows no lifespan."""
    ours = scope["type"] == "lifespan" or scope["path"] == "/api/stepwell"
    await (functions if ours else pages)(scope, receive, send)
