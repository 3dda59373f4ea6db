"""How requests of the SDK protocol are let in and answered: JSON of its own shapes, errors as `{"error": text}`."""

from collections.abc import Awaitable, Callable
from typing import Any, Literal, TypeAlias, TypeVar

import structlog
from pydantic import BaseModel, ValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from stepwell.functions.signing import Keys
from stepwell.platform.api.auth import SAFE, presented
from stepwell.platform.api.ingest import HungUp, read_body
from stepwell.platform.api.problems import Problem, problem_of
from stepwell.platform.api.scopes import Scope, grant_of
from stepwell.platform.codec import MalformedJSON, encode
from stepwell.platform.wire.given import decode_given

M = TypeVar("M", bound=BaseModel)
Asked: TypeAlias = Callable[[Request], Awaitable[Any]]
"""Takes a request and gives what JSON it is answered with."""
Kind = Literal["dev", "cloud"]
KIND = "X-Inngest-Server-Kind"
NO_KEY = "Set STEPWELL_SIGNING_KEY of this server and that of the app, or its INNGEST_SIGNING_KEY, to the same"


class Counter:
    """Where SDKs are served.

    Args:
        keys: the signing keys of this server.
        dev: apps register without one.
    """

    def __init__(self, keys: Keys, *, dev: bool) -> None:
        self._keys = keys
        self.kind: Kind = "dev" if dev else "cloud"

    def route(self, method: str, path: str, asked: Asked, needs: Scope | None) -> Route:
        """A row of the route table.

        Args:
            method: of HTTP.
            path: with `{name}` for what varies.
            asked: carries it out.
            needs: what an API key allows that opens it as well as a signing key does; `None`: it is for everybody.
        """

        async def answered(request: Request) -> Response:
            try:
                if needs is not None:
                    self._let_in(request, needs)
                return self._json(200, await asked(request))
            except HungUp:
                raise
            except Exception as error:
                return self._refused(request, error)

        return Route(path, answered, methods=[method])

    def _let_in(self, request: Request, needs: Scope) -> None:
        if self._keys.open(presented(dict(request.scope["headers"])).decode("latin-1")):
            return
        grant = grant_of(request)
        if grant is None or (grant.signed_in and request.method not in SAFE):
            raise Problem(401, "unauthorized", "no signing key and no API key that is known was sent", NO_KEY)
        grant.require(needs)
        grant.require_payloads()

    def check_registrar(self, request: Request) -> None:
        """Raises a `Problem` unless the caller may register apps: it knows a signing key, or this server asks for none.

        A server that listens to others asks even in dev: what is registered is called, and told of events.
        """
        wanted = request.headers.get("x-inngest-expected-server-kind")
        if wanted and wanted != self.kind:
            hint = "Set INNGEST_DEV of the app to its address" if self.kind == "dev" else "Leave INNGEST_DEV out"
            message = f"the app expects a server of kind {wanted[:20]!r}, and this one is {self.kind!r}"
            raise Problem(400, "wrong_kind", message, hint)
        if self.kind == "cloud" and not self._keys.open(presented(dict(request.scope["headers"])).decode("latin-1")):
            known = (
                "the signing key is not that of this server" if list(self._keys) else "this server has no signing key"
            )
            raise Problem(401, "unauthorized", known, NO_KEY)
        if self.kind == "dev":
            self._let_in(request, Scope.ADMIN)

    def _refused(self, request: Request, error: Exception) -> Response:
        problem = problem_of(error)
        if problem.status == 500:
            path = request.scope["path"]
            structlog.get_logger("stepwell.api").exception("a request failed", path=path, exc_info=error)
        text = f"{problem.message} ({problem.hint})" if problem.hint else problem.message
        response = self._json(problem.status, {"error": " ".join(text.split()), "status": problem.status})
        response.headers.update(problem.headers)
        return response

    def _json(self, status: int, body: Any) -> Response:
        return Response(encode(body), status, {KIND: self.kind}, "application/json")


async def json_of(request: Request) -> Any:
    """The JSON of a body. Raises a `Problem`."""
    body = await read_body(dict(request.scope["headers"]), request.receive)
    try:
        return decode_given(body)
    except MalformedJSON as error:
        raise Problem(400, "invalid_json", f"the body is not JSON: {error}") from None


def understood(kind: type[M], body: Any) -> M:
    """The JSON of a body as what it has to be. Raises a `Problem`, which names the first field that is wrong."""
    try:
        return kind.model_validate(body)
    except ValidationError as error:
        wrong = error.errors(include_url=False)[0]
        where = ".".join(map(str, wrong["loc"])) or "the body"
        raise Problem(400, "invalid_body", f"{where}: {wrong['msg']}") from None
