"""What a caller is told when a request cannot be met: `{"error": {"code", "message", "hint"}}` and a status."""

from collections.abc import Mapping
from http import HTTPStatus

from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from stepwell.platform.errors import StoreFull, StoreUnavailable

RETRY_AFTER = "5"


class ProblemDetail(BaseModel):
    """What was wrong."""

    code: str = Field(description="a short word for programs")
    message: str = Field(description="what was wrong, with the value")
    hint: str = Field(description="what to do about it")


class ProblemBody(BaseModel):
    """The body of every answer of 400 or more."""

    error: ProblemDetail


class Problem(Exception):
    """An answer of `status` 400 or more. Raised by endpoints; never shows the inside of the server."""

    def __init__(
        self, status: int, code: str, message: str, hint: str = "", headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(status, code, message, hint)
        self.status = status
        self.code = code
        self.message = message
        self.hint = hint
        self.headers = dict(headers or {})

    def response(self) -> Response:
        """As HTTP."""
        body = ProblemBody(error=ProblemDetail(code=self.code, message=self.message, hint=self.hint))
        return Response(body.model_dump_json(), self.status, self.headers, "application/json")


HINTS = {
    "app": "`stepwell apps` lists those that are registered",
    "function": "`stepwell functions` lists those that are registered",
    "schedule": "`stepwell schedules list` lists those that are registered",
    "slot": "It may have been given back meanwhile",
}
"""What to do about what is not there."""


def not_found(kind: str, id: str) -> Problem:
    """Nothing of this `kind` has the id."""
    shown = id if len(id) <= 80 else f"{id[:80]}…"
    hint = HINTS.get(kind, "It may have been removed by retention, or the id is not complete")
    return Problem(404, "not_found", f"there is no {kind} {shown!r}", hint)


def problem_of(error: Exception) -> Problem:
    """What to tell about an error that is none of the caller's making, or was found by the router."""
    match error:
        case Problem():
            return error
        case StoreFull():
            hint = "Send again later; the operator has to raise maxmemory or shorten the retention"
            return Problem(503, "store_full", "Redis has reached its memory limit", hint, {"Retry-After": RETRY_AFTER})
        case StoreUnavailable():
            hint = "Try again; nothing is lost that was acknowledged"
            return Problem(503, "store_unavailable", "Redis cannot be reached", hint, {"Retry-After": RETRY_AFTER})
        case HTTPException():
            return _of_router(error)
        case _:
            hint = "This is a fault of Stepwell; the server's log says more"
            return Problem(500, "internal_error", "the request could not be carried out", hint)


def _of_router(error: HTTPException) -> Problem:
    code = HTTPStatus(error.status_code).name.lower()
    match error.status_code:
        case 404:
            message, hint = "there is nothing at this path", "The paths are listed in /api/v1/openapi.json"
        case 405:
            allowed = (error.headers or {}).get("Allow", "")
            message, hint = "this path does not take this method", f"It takes {allowed}"
        case _:
            message, hint = error.detail, ""
    return Problem(error.status_code, code, message, hint, error.headers)


async def answer_problem(_: Request, error: Exception) -> Response:
    """The exception handler of the API."""
    return problem_of(error).response()
