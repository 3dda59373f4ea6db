"""One operation of the API: a row of the route table, from which routes and the OpenAPI document are both made."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol, TypeAlias, TypeVar, runtime_checkable

from pydantic import BaseModel, ConfigDict, ValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from stepwell.platform.api.models.answer import Answer
from stepwell.platform.api.problems import Problem
from stepwell.platform.api.scopes import Grant, Scope, required

Endpoint: TypeAlias = Callable[[Request], Awaitable[ASGIApp]]
"""Takes a request and gives a response: one of Starlette's, or any ASGI application."""


@runtime_checkable
class Concealing(Protocol):
    """A response that knows which parts of it are payloads."""

    def without_payloads(self) -> ASGIApp:
        """The same for those who may not see payloads."""
        ...


class Query(BaseModel):
    """Base of the models of query strings: what is not known is refused, not ignored."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class NoQuery(Query):
    """No parameters."""


Q = TypeVar("Q", bound=Query)


@dataclass(frozen=True, slots=True)
class Operation:
    """What a method does at a path.

    Args:
        method: GET or POST.
        path: with `{name}` for what varies.
        name: of the operation, for generated clients.
        about: one line.
        endpoint: carries it out.
        answer: model of the body of a 200, `None` when it is not JSON.
        query: model of the query string.
        problems: statuses of 400 and more that are its own, besides those that any operation may answer.
        takes_events: its body is one event, or an array of them.
        body: model of its body, `None` when it takes none.
        needs: what a caller's key has to allow; `None` when it takes no key.
    """

    method: str
    path: str
    name: str
    about: str
    endpoint: Endpoint
    answer: type[BaseModel] | None
    query: type[Query] = NoQuery
    problems: tuple[int, ...] = ()
    takes_events: bool = False
    body: type[BaseModel] | None = None
    needs: Scope | None = Scope.READ

    async def call(self, request: Request) -> ASGIApp:
        """Carries it out for a caller who may ask for it, and tells them what they may see. Raises a `Problem`."""
        if self.needs is None:
            return await self.endpoint(request)
        grant = required(request, self.needs)
        response = await self.endpoint(request)
        return response if grant.payloads else _concealed(response, grant)

    def route(self) -> Route:
        """As Starlette routes it."""
        return Route(self.path, self.call, methods=[self.method], name=self.name)


def parameters(request: Request, model: type[Q]) -> Q:
    """The query string as `model`. Raises a `Problem` that names the parameter."""
    given = request.query_params.multi_items()
    names = [name for name, _ in given]
    repeated = {name for name in names if names.count(name) > 1}
    if repeated:
        raise _invalid(model, f"{_shown(min(repeated))} is given more than once")
    try:
        return model.model_validate(dict(given))
    except ValidationError as error:
        wrong = error.errors(include_url=False)[0]
        name, value = str(wrong["loc"][0]), str(wrong["input"])
        if wrong["type"] == "extra_forbidden":
            raise _invalid(model, f"there is no parameter {_shown(name)}") from None
        raise _invalid(model, f"{name} is {_shown(value)}: {wrong['msg']}") from None


def _invalid(model: type[Query], message: str) -> Problem:
    known = ", ".join(field.alias or name for name, field in model.model_fields.items()) or "none"
    return Problem(400, "invalid_parameter", message, f"The parameters of this path: {known}")


def _shown(text: str) -> str:
    return repr(text if len(text) <= 80 else f"{text[:80]}…")


class Told(Response):
    """A 200 with JSON."""

    def __init__(self, body: Answer) -> None:
        super().__init__(body.model_dump_json(), media_type="application/json")
        self._body = body

    def without_payloads(self) -> "Told":
        """The same for those who may not see payloads."""
        return Told(self._body.without_payloads())


def answer(body: Answer) -> Told:
    """A 200 with JSON."""
    return Told(body)


def _concealed(response: ASGIApp, grant: Grant) -> ASGIApp:
    """What `grant` may see of a response; of one that cannot tell what of it are payloads, nothing."""
    if not isinstance(response, Concealing):
        grant.require_payloads()
        return response
    return response.without_payloads()
