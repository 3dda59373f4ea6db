"""What those who have given their key may do."""

from dataclasses import dataclass
from enum import StrEnum

from starlette.requests import HTTPConnection
from starlette.types import Scope as Connection

from stepwell.platform.api.problems import Problem

HELD = "stepwell.grant"
"""Where the grant of a request is, in its ASGI scope."""


class Scope(StrEnum):
    """Each includes those before it: `read`, `operate` what runs do, `admin` what all of them share."""

    READ = "read"
    OPERATE = "operate"
    ADMIN = "admin"

    def includes(self, other: "Scope") -> bool:
        """Whether who has this may do what takes `other`."""
        ladder = list(Scope)
        return ladder.index(self) >= ladder.index(other)


@dataclass(frozen=True, slots=True)
class Grant:
    """What a caller may do.

    Args:
        name: of its key; empty on a server that asks for none.
        scope: the widest it has.
        payloads: whether it may see data of events, outputs and tracebacks.
        signed_in: by a session, and so by a browser.
    """

    name: str = ""
    scope: Scope = Scope.ADMIN
    payloads: bool = True
    signed_in: bool = False

    def may(self, scope: Scope) -> bool:
        """Whether it may do what takes `scope`."""
        return self.scope.includes(scope)

    def require(self, scope: Scope) -> None:
        """Raises a `Problem` without `scope`."""
        if not self.may(scope):
            message = f"this takes the scope {scope.value!r}, and the key {self.name!r} has only {self.scope.value!r}"
            raise Problem(403, "missing_scope", message, "Use a key with that scope, or ask who runs this server")

    def require_payloads(self) -> None:
        """Raises a `Problem` when it may not see payloads."""
        if not self.payloads:
            message = f"the key {self.name!r} may not see payloads"
            raise Problem(403, "hidden", message, "Use a key without `no-payloads`")


OPEN = Grant()
"""Of everybody, on a server that asks for no key."""


def grant_to(connection: Connection, grant: Grant | None) -> None:
    """Writes into the ASGI scope of a request what its caller may do: nothing when that is `None`."""
    connection[HELD] = grant


def grant_of(request: HTTPConnection) -> Grant | None:
    """What the caller may do; `None` of one who has given no key."""
    grant: Grant | None = request.scope[HELD]
    return grant


def required(request: HTTPConnection, scope: Scope) -> Grant:
    """The grant of a caller who may do what takes `scope`. Raises a `Problem`."""
    grant = grant_of(request)
    if grant is None:
        raise unauthorized()
    grant.require(scope)
    return grant


def unauthorized() -> Problem:
    """The caller has given no key that is known."""
    return Problem(
        401,
        "unauthorized",
        "this needs an API key, and none that is known was sent",
        "Send `Authorization: Bearer KEY`, set STEPWELL_API_KEY for the command line, or sign in at /sign-in",
        # Not Basic, although it is taken: browsers would ask for the key in a window of their own.
        {"WWW-Authenticate": 'Bearer realm="Stepwell"'},
    )
