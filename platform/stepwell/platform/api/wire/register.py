"""`POST /fn/register`: an SDK registers its app. `GET /dev`: SDKs look whether this is a server for development."""

from collections.abc import Iterator
from importlib.metadata import version
from typing import Any

from starlette.requests import Request
from starlette.routing import Route

from stepwell.platform.api.problems import Problem
from stepwell.platform.api.wire.counter import Counter, json_of
from stepwell.platform.registry import Registry
from stepwell.platform.wire.addresses import Addresses
from stepwell.platform.wire.registering import Registering
from stepwell.platform.wire.registration import BadRegistration


class RegisterApi:
    """Takes registrations.

    Args:
        counter: lets callers in.
        registry: of the installation.
        addresses: that apps may be served at.
    """

    def __init__(self, counter: Counter, registry: Registry, addresses: Addresses) -> None:
        self._counter = counter
        self._registering = Registering(registry, addresses, dev=counter.kind == "dev")

    def routes(self) -> Iterator[Route]:
        """The rows of the route table."""
        yield self._counter.route("POST", "/fn/register", self.register, None)
        yield self._counter.route("GET", "/dev", self.dev, None)

    async def register(self, request: Request) -> Any:
        """POST /fn/register."""
        self._counter.check_registrar(request)
        try:
            return {"ok": True, "modified": await self._registering.take(await json_of(request))}
        except BadRegistration as error:
            raise Problem(400, "invalid_registration", str(error)) from None

    async def dev(self, _: Request) -> Any:
        """GET /dev."""
        if self._counter.kind != "dev":
            raise Problem(404, "not_found", "this is no server for development")
        return {
            "version": version("stepwell"),
            "authed": False,
            "startOpts": {},
            # SDKs ask whether there is a server, and nobody has to say who asks: what it knows is for those with a key.
            "functions": [],
            "handlers": [],
        }
