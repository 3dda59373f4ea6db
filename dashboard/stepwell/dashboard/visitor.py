"""Who looks at a page, as far as the page depends on it."""

from dataclasses import dataclass

from starlette.requests import Request

from stepwell.dashboard.forms import access_of
from stepwell.platform.api.scopes import Scope, grant_of


@dataclass(frozen=True, slots=True)
class Visitor:
    """One who may see pages.

    Args:
        name: of the key; empty on a server that asks for none.
        token: what forms bring along; empty on a server that asks for no key.
        signed_in: whether there is a session, which can be ended.
        operates: whether to offer what changes runs.
        payloads: whether to offer what looks into data.
        administers: whether to offer what changes what all of them share.
    """

    name: str
    token: str
    signed_in: bool
    operates: bool
    payloads: bool
    administers: bool


def visitor_of(request: Request) -> Visitor | None:
    """Who looks; `None` when nobody knows."""
    grant, access = grant_of(request), access_of(request)
    if grant is None:
        return None
    token = "" if access.free else access.sessions.token(grant)
    operates, administers = grant.may(Scope.OPERATE), grant.may(Scope.ADMIN)
    return Visitor(grant.name, token, grant.signed_in, operates, grant.payloads, administers)
