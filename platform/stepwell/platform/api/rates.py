"""How much happens, by minute or hour."""

from collections.abc import Iterator
from dataclasses import asdict

from pydantic import Field
from starlette.requests import Request
from starlette.types import ASGIApp

from stepwell.platform.api.models.answer import Item
from stepwell.platform.api.models.rates import Per, Rates, RatesPoint
from stepwell.platform.api.operations import Operation, Query, answer, parameters
from stepwell.platform.api.problems import Problem, not_found
from stepwell.platform.api.wanted import LAST_MS
from stepwell.platform.installation import Installation
from stepwell.platform.reading import rates

HOUR = 3_600_000
LENGTHS = {"minute": rates.Per.MINUTE, "hour": rates.Per.HOUR}


class RatesQuery(Query):
    """Of what, and when."""

    function: str | None = Field(default=None, max_length=129, description="as app/function; without it, all")
    per: Per = "minute"
    after: int | None = Field(
        default=None, ge=0, le=LAST_MS, description="the beginning, ms UTC; an hour before the end by default"
    )
    before: int | None = Field(default=None, ge=0, le=LAST_MS, description="the end, ms UTC; now by default")


class RatesApi:
    """The endpoint of `/api/v1/rates`."""

    def __init__(self, installation: Installation) -> None:
        self._installation = installation

    def operations(self) -> Iterator[Operation]:
        """The rows of the route table."""
        about = "What happened in each minute or hour: events, and runs that were created, started, ended"
        yield Operation(
            "GET", "/api/v1/rates", "get_rates", about, self.rates, Item[Rates], RatesQuery, problems=(404,)
        )

    async def rates(self, request: Request) -> ASGIApp:
        """GET /rates."""
        query = parameters(request, RatesQuery)
        now = self._installation.clock.now()
        before = now + 1 if query.before is None else query.before
        after = before - HOUR if query.after is None else query.after
        try:
            found = await self._installation.history.rates(query.function, after, before, LENGTHS[query.per], now)
        except rates.LongRange as error:
            raise Problem(400, "long_range", str(error), "Ask for a shorter one, or per=hour") from None
        if query.function is not None and not _is_known(found):
            await self._require(query.function)
        points = [RatesPoint(**asdict(point)) for point in found.points]
        told = Rates(function=query.function, per=query.per, after=found.after, before=found.before, points=points)
        return answer(Item[Rates](data=told))

    async def _require(self, function: str) -> None:
        """Raises a `Problem` when nothing is called so: that would look like a function that does nothing."""
        if function not in (await self._installation.registry.load()).functions:
            raise not_found("function", function)


def _is_known(found: rates.Rates) -> bool:
    return any(point.created or point.started for point in found.points)
