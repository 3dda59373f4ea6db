"""`POST /v1/cancellations`: cancels many runs, as a bulk job."""

from collections.abc import Iterator
from typing import Any

from pydantic import Field, ValidationError
from starlette.requests import Request
from starlette.routing import Route

from stepwell.platform.api.problems import Problem
from stepwell.platform.api.scopes import Scope
from stepwell.platform.api.steering import refusals
from stepwell.platform.api.wire.counter import Counter, json_of
from stepwell.platform.api.wire.telling import time_of
from stepwell.platform.bulk.order import BulkOrder
from stepwell.platform.bulk.wanted import Wanted
from stepwell.platform.expressions import ExpressionError
from stepwell.platform.installation import Installation
from stepwell.platform.wire.configuration import Given
from stepwell.platform.wire.slugs import function_id


class Cancellation(Given):
    """Which runs; names are those of the SDK protocol."""

    app_id: str = Field(alias="app_id", min_length=1)
    function_id: str | None = Field(default=None, alias="function_id")
    started_after: str | None = Field(default=None, alias="started_after")
    started_before: str | None = Field(default=None, alias="started_before")
    if_: str | None = Field(default=None, alias="if")

    def wanted(self) -> Wanted:
        """As a filter of ours. Raises `ValueError`."""
        name = self.function_id and f"{self.app_id}/{function_id(self.app_id, self.function_id)}"
        after, before = (time_of(text) if text else None for text in (self.started_after, self.started_before))
        return Wanted(app=self.app_id, function=name or None, after=after, before=before, q=self.if_)


class CancellationsApi:
    """Takes orders to cancel.

    Args:
        counter: lets callers in.
        installation: whose runs they are.
    """

    def __init__(self, counter: Counter, installation: Installation) -> None:
        self._counter = counter
        self._jobs = installation.bulk

    def routes(self) -> Iterator[Route]:
        """The rows of the route table."""
        yield self._counter.route("POST", "/v1/cancellations", self.begin, Scope.OPERATE)

    async def begin(self, request: Request) -> Any:
        """POST /v1/cancellations."""
        try:
            given = Cancellation.model_validate(await json_of(request))
            with refusals():
                id = await self._jobs.begin(BulkOrder("cancel", given.wanted()), "")
        except ValidationError as error:
            wrong = error.errors(include_url=False)[0]
            where = ".".join(map(str, wrong["loc"])) or "the body"
            raise Problem(400, "invalid_body", f"{where}: {wrong['msg']}") from None
        except (ValueError, ExpressionError) as error:
            raise Problem(400, "invalid_body", str(error)) from None
        return {"data": {"id": id, **given.model_dump(by_alias=True)}}
