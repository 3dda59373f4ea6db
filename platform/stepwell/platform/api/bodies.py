"""Bodies of requests that are JSON objects."""

from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from starlette.requests import Request

from stepwell.platform.api.ingest import read_body
from stepwell.platform.api.problems import Problem
from stepwell.platform.codec import MalformedJSON, decode


class Body(BaseModel):
    """Base of the models of bodies: what is not known is refused, not ignored."""

    model_config = ConfigDict(frozen=True, extra="forbid")


B = TypeVar("B", bound=Body)
MAY = (408, 413, 415, 422)
"""Statuses of operations that take a body."""


async def body_of(request: Request, model: type[B]) -> B:
    """The body of a request; nothing at all is an empty object. Raises a `Problem` that names the field."""
    known = f"The fields of this body: {', '.join(model.model_fields)}"
    given = _parsed(await read_body(dict(request.scope["headers"]), request.receive))
    if not isinstance(given, dict):
        raise Problem(422, "invalid_body", "the body is no JSON object", known)
    try:
        return model.model_validate(given)
    except ValidationError as error:
        wrong = error.errors(include_url=False)[0]
        where = ".".join(map(str, wrong["loc"]))
        raise Problem(422, "invalid_body", f"{where}: {wrong['msg']}", known) from None


def _parsed(body: bytes) -> Any:
    try:
        return decode(body or b"{}")
    except MalformedJSON as error:
        raise Problem(400, "invalid_json", f"the body is not JSON: {error}", "It is a JSON object") from None
