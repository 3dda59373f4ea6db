"""Signing in with an API key, and out again."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil

import structlog
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from stepwell.dashboard.address import Address
from stepwell.dashboard.forms import access_of, form_of, sent_form
from stepwell.dashboard.rendering import Renderer
from stepwell.platform.api.auth import check_origin
from stepwell.platform.api.door import SIGN_IN, SIGN_OUT, local
from stepwell.platform.api.scopes import Grant, Scope, grant_of
from stepwell.platform.api.sessions import cookie
from stepwell.platform.clock import Clock

MOST_BYTES = 16 << 10
"""Of the form: anybody may send it."""
UNKNOWN = "This server knows no such key."


@dataclass(frozen=True, slots=True)
class SignInView:
    """The page. `next` is where it leads, `error` why it is shown again."""

    next: str
    error: str = ""


class SignInPage:
    """`/sign-in` and `/sign-out`."""

    def __init__(self, renderer: Renderer, clock: Clock) -> None:
        self._renderer = renderer
        self._clock = clock

    def addresses(self) -> Iterator[Address]:
        """Where it is; anybody may ask."""
        yield Address("GET", SIGN_IN, self.show)
        yield Address("POST", SIGN_IN, self.enter)
        yield Address("POST", SIGN_OUT, self.leave)

    async def show(self, request: Request) -> Response:
        """GET /sign-in."""
        onward = local(request.query_params.get("next", "/"))
        if grant_of(request):
            return RedirectResponse(onward, 303)
        return self._page(request, SignInView(onward))

    async def enter(self, request: Request) -> Response:
        """POST /sign-in: a key for a session. It has no token: there is nobody yet for whom to make one."""
        check_origin(dict(request.scope["headers"]))
        access, now = access_of(request), self._clock.now()
        form, address = await form_of(request, MOST_BYTES), request.client.host if request.client else ""
        onward = local(form.get("next", "/"))
        if access.free:
            return RedirectResponse(onward, 303)
        if wait := ceil(access.attempts.wait(address, now) / 1000):
            return self._later(request, onward, wait)
        grant = access.granted(form.get("key", "").strip())
        if grant is None:
            access.attempts.failed(address, now)
            structlog.get_logger("stepwell.dashboard").warning("an unknown key was tried", address=address)
            return self._page(request, SignInView(onward, UNKNOWN), 401)
        return self._enter(request, onward, grant)

    async def leave(self, request: Request) -> Response:
        """POST /sign-out."""
        if grant_of(request):
            await sent_form(request, Scope.READ)
        response = RedirectResponse(SIGN_IN, 303)
        response.headers["Set-Cookie"] = cookie("", secure=_is_secure(request), seconds=0)
        return response

    def _enter(self, request: Request, onward: str, grant: Grant) -> Response:
        session = access_of(request).sessions.begin(grant, self._clock.now())
        response = RedirectResponse(onward, 303)
        response.headers["Set-Cookie"] = cookie(session, secure=_is_secure(request))
        return response

    def _later(self, request: Request, onward: str, seconds: int) -> Response:
        error = f"Too many keys were tried that are not known. Try again in {seconds} s."
        response = self._page(request, SignInView(onward, error), 429)
        response.headers["Retry-After"] = str(seconds)
        return response

    def _page(self, request: Request, view: SignInView, status: int = 200) -> Response:
        return self._renderer.page(request, "sign-in.html", view, status)


def _is_secure(request: Request) -> bool:
    """Whether the browser is on https. Behind a proxy with TLS only the browser itself tells that."""
    return request.url.scheme == "https" or request.headers.get("origin", "").startswith("https://")
