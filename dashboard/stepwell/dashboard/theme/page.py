"""Light or dark, as the reader wants it."""

from collections.abc import Iterator
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from stepwell.dashboard.address import Address, acting
from stepwell.dashboard.forms import Form
from stepwell.dashboard.theme.choice import COOKIE, THEMES
from stepwell.platform.api.door import local
from stepwell.platform.api.problems import Problem
from stepwell.platform.api.scopes import Scope

YEAR = 365 * 86_400


class ThemePage:
    """`/theme`."""

    def addresses(self) -> Iterator[Address]:
        """Where it is."""
        yield acting("/theme", self.choose, Scope.READ)

    async def choose(self, request: Request, form: Form) -> Response:
        """POST /theme: leads back to where it was chosen."""
        chosen = form.get("theme", "")
        if chosen not in THEMES:
            raise Problem(422, "unfit", f"there is no theme {chosen[:80]!r}", f"There are {', '.join(THEMES)}")
        back = urlsplit(request.headers.get("referer", ""))
        response = RedirectResponse(local(f"{back.path}?{back.query}" if back.query else back.path or "/"), 303)
        response.set_cookie(COOKIE, chosen, max_age=YEAR, httponly=True, samesite="strict")
        return response
