"""What the forms of the pages send."""

import asyncio
from collections.abc import Mapping
from hmac import compare_digest
from urllib.parse import parse_qsl

from starlette.requests import ClientDisconnect, Request

from stepwell.platform.api.auth import Access, check_origin
from stepwell.platform.api.front import ACCESS
from stepwell.platform.api.ingest import CLOSE, PATIENCE, HungUp
from stepwell.platform.api.problems import Problem
from stepwell.platform.api.scopes import Scope, required

MOST_BYTES = 1 << 20
MOST_FIELDS = 100

Form = Mapping[str, str]
"""The fields by name; of several of one name, the last."""


def access_of(request: Request) -> Access:
    """Who may do what on this server."""
    access: Access = request.scope[ACCESS]
    return access


async def form_of(request: Request, most: int = MOST_BYTES) -> Form:
    """The fields of a form that was sent, of `most` bytes. Raises a `Problem`."""
    try:
        async with asyncio.timeout(PATIENCE):
            body = await _read(request, most)
        return dict(parse_qsl(body.decode(errors="replace"), keep_blank_values=True, max_num_fields=MOST_FIELDS))
    except TimeoutError:
        raise Problem(408, "too_slow", f"the form did not arrive within {PATIENCE:g} s", "", CLOSE) from None
    except ClientDisconnect:
        raise HungUp from None
    except ValueError:
        raise Problem(422, "invalid_form", f"the form has more than {MOST_FIELDS} fields") from None


async def _read(request: Request, most: int) -> bytes:
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > most:
            raise Problem(413, "too_large", f"the form has more than {most:,} bytes", "", CLOSE)
    return bytes(body)


async def sent_form(request: Request, scope: Scope, most: int = MOST_BYTES) -> Form:
    """The fields of a form of one of our pages, of `most` bytes, sent by who may do what takes `scope`.

    Raises a `Problem`.
    """
    grant, access = required(request, scope), access_of(request)
    check_origin(dict(request.scope["headers"]))
    form = await form_of(request, most)
    # Without keys there is nothing to make a token of, and nothing that a browser sends by itself.
    if not access.free and not compare_digest(form.get("token", "").encode(), access.sessions.token(grant).encode()):
        message = "the form was not made for who sends it: somebody else has signed in since"
        raise Problem(403, "stale_form", message, "Go back, load the page again, and repeat it")
    return form
