"""Keys of constraints: who has their slots, and who waits."""

from collections.abc import Iterator

from pydantic import Field
from starlette.requests import Request
from starlette.types import ASGIApp

from stepwell.platform.api.models.answer import Item
from stepwell.platform.api.models.key import Key
from stepwell.platform.api.operations import Operation, Query, answer, parameters
from stepwell.platform.api.problems import Problem, not_found
from stepwell.platform.api.scopes import Scope
from stepwell.platform.api.views import key as key_views
from stepwell.platform.flow.holding import Holding
from stepwell.platform.installation import Installation


class KeysQuery(Query):
    """Which keys."""

    constraint: str | None = Field(default=None, max_length=256, description="the name of one")


class ReleaseQuery(Query):
    """A slot."""

    scope: str = Field(max_length=512, description="of the key, as it is listed")
    run: str = Field(max_length=64, description="that has the slot")


class KeysApi:
    """Endpoints of `/api/v1/keys`."""

    def __init__(self, installation: Installation) -> None:
        self._holding = Holding(installation.partitions)

    def operations(self) -> Iterator[Operation]:
        """The rows of the route table."""
        about = "The keys of constraints of which somebody has a slot, or waits for one; 1,000 at most"
        yield Operation("GET", "/api/v1/keys", "list_keys", about, self.all, Item[list[Key]], KeysQuery)
        about, path = "Take a slot from a run that does not execute under it", "/api/v1/keys/release"
        yield Operation(
            "POST",
            path,
            "release_key",
            about,
            self.release,
            Item[list[Key]],
            ReleaseQuery,
            problems=(403, 404, 409),
            needs=Scope.ADMIN,
        )

    async def all(self, request: Request) -> ASGIApp:
        """GET /keys."""
        query = parameters(request, KeysQuery)
        return await self._answer(query.constraint)

    async def release(self, request: Request) -> ASGIApp:
        """POST /keys/release."""
        query = parameters(request, ReleaseQuery)
        await release_slot(self._holding, query.scope, query.run)
        return await self._answer(query.scope.partition("|")[0])

    async def _answer(self, constraint: str | None) -> ASGIApp:
        found = await self._holding.keys(constraint)
        return answer(Item[list[Key]](data=[key_views.key(view) for view in found]))


async def release_slot(holding: Holding, scope: str, run: str) -> None:
    """Takes a slot from a run that does not execute under it. Raises a `Problem` when there is none, or it does."""
    freed = await holding.release(scope, run)
    if freed == "GONE":
        raise not_found("slot", f"{scope} of {run}")
    if freed == "HELD":
        message = f"run {run} executes under its slot of {scope}"
        raise Problem(409, "slot_in_use", message, "Cancel the run to have it let go")
