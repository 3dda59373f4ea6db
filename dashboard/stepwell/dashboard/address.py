"""Addresses of pages, each with who may ask for it."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from urllib.parse import quote, urlencode

from starlette.requests import Request
from starlette.responses import Response

from stepwell.dashboard.forms import MOST_BYTES, Form, sent_form
from stepwell.platform.api.scopes import Scope, required

Endpoint = Callable[[Request], Awaitable[Response]]
Action = Callable[[Request, Form], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Address:
    """A path with `{name}` for what varies, and what answers there."""

    method: str
    path: str
    endpoint: Endpoint


def reading(path: str, endpoint: Endpoint) -> Address:
    """A page for those who may read."""

    async def read(request: Request) -> Response:
        required(request, Scope.READ)
        return await endpoint(request)

    return Address("GET", path, read)


def acting(path: str, action: Action, scope: Scope = Scope.OPERATE, most: int = MOST_BYTES) -> Address:
    """What a form of our own pages, and of no other site's, does for those who may do what takes `scope`.

    Args:
        path: where it is sent to.
        action: what is done.
        scope: see `Scope`.
        most: bytes of the form.
    """

    async def act(request: Request) -> Response:
        return await action(request, await sent_form(request, scope, most))

    return Address("POST", path, act)


def with_query(path: str, given: Mapping[str, object]) -> str:
    """The address of a page that is asked for with those of the parameters that have a value."""
    wanted = {name: value for name, value in given.items() if value not in (None, "")}
    return f"{path}?{urlencode(wanted)}" if wanted else path


def path_to(*parts: str) -> str:
    """The path that these lead along; slashes in them stay."""
    return "/" + "/".join(quote(part) for part in parts)
