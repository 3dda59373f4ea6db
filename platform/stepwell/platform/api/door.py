"""What those get who have given no key: what is for everybody, the way to the page where they give it, or a refusal."""

from html import escape
from urllib.parse import quote, urlencode

from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.types import Scope

from stepwell.platform.api.auth import SAFE, Headers
from stepwell.platform.api.scopes import unauthorized

SIGN_IN = "/sign-in"
SIGN_OUT = "/sign-out"
HEALTH = "/health/"
STATIC = "/static/"
API = "/api/"
WIRE = "/v0/", "/v1/"
"""Where SDKs ask: with keys of their own kind, which are looked at there."""
WIRE_PATHS = frozenset({"/fn/register", "/dev"})
ELSEWHERE = frozenset({b"cross-site", b"same-site"})
ONWARD = '<!doctype html><html lang="en"><title>Stepwell</title><meta http-equiv="refresh" content="0;url={}">'


def is_for_everybody(path: str) -> bool:
    """Whether what is there needs no key, or looks at it itself."""
    return path in (SIGN_IN, SIGN_OUT) or path in WIRE_PATHS or path.startswith((HEALTH, STATIC, *WIRE))


def turned_away(scope: Scope, headers: Headers) -> Response:
    """What somebody without a key is answered. Raises a `Problem` unless it is a person who opens a page."""
    opens = scope["method"] in SAFE and b"text/html" in headers.get(b"accept", b"")
    if not opens or scope["path"].startswith(API):
        raise unauthorized()
    page = local(_address(scope))
    if headers.get(b"sec-fetch-site") in ELSEWHERE and b"cookie" not in headers:
        # Who follows a link of another site brings no session, even if there is one: the same once more, from here.
        return HTMLResponse(ONWARD.format(escape(page)))
    return RedirectResponse(f"{SIGN_IN}?{urlencode({'next': page})}", 303)


def local(address: str) -> str:
    """An address if it is of this server, else that of the first page."""
    plain = address.isascii() and address.isprintable() and "\\" not in address
    ours = address.startswith("/") and not address.startswith("//")
    return address if plain and ours and not address.startswith((SIGN_IN, SIGN_OUT)) else "/"


def _address(scope: Scope) -> str:
    path, query = quote(scope["path"]), scope["query_string"].decode("latin-1")
    return f"{path}?{query}" if query else path
