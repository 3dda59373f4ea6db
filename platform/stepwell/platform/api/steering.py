"""Steering runs: doing them again, and ending what they wait for."""

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Any

from pydantic import Field
from starlette.requests import Request
from starlette.types import ASGIApp

from stepwell.platform.api.bodies import MAY, Body, body_of
from stepwell.platform.api.models.answer import Item
from stepwell.platform.api.models.run import Run
from stepwell.platform.api.operations import NoQuery, Operation, answer, parameters
from stepwell.platform.api.problems import Problem, not_found
from stepwell.platform.api.scopes import Scope
from stepwell.platform.api.views import run as run_views
from stepwell.platform.codec import UnencodableJSON
from stepwell.platform.installation import Installation
from stepwell.platform.steering.order import Given, Order
from stepwell.platform.steering.refusals import NoSuchFunction, NoSuchRun, NoSuchStep, NotNow, NotSteered


class RerunBody(Body):
    """How a run is done again."""

    input: dict[str, Any] | None = Field(default=None, description="data of the event, instead of the run's own")
    from_step: str | None = Field(default=None, description="key of a step; what was done before it is kept")
    output: Any = Field(default=None, description="of that step, which then is kept as well")
    request: str | None = Field(
        default=None, description="an id of your own: asked again with the same, nothing is done twice"
    )


class RetryBody(Body):
    """What is tried again."""

    step: str | None = Field(default=None, description="its key; null for the function itself")


class WakeBody(Body):
    """What is woken."""

    step: str = Field(description="its key")


class ResolveBody(Body):
    """The outcome of a wait: either `output` or `error`."""

    step: str = Field(description="its key")
    output: Any = Field(
        default=None,
        description=(
            "of an invoke, any value; of wait_for_event, an event {name, data} or null; of wait_for_any, {name: of the "
            "entry, event}; of wait_for_signal, {signal, data} or null"
        ),
    )
    error: Any = Field(default=None, description="{type, message}")


class SteeringApi:
    """Endpoints below `/api/v1/runs/{id}` that change what a run does."""

    def __init__(self, installation: Installation) -> None:
        self._history = installation.history
        self._steering = installation.steering

    def operations(self) -> Iterator[Operation]:
        """The rows of the route table."""
        run, may = "/api/v1/runs/{id}", (403, 404, 409, *MAY)

        def post(verb: str, about: str, endpoint: Any, body: type[Body]) -> Operation:
            return Operation(
                "POST",
                f"{run}/{verb}",
                f"{verb}_run",
                about,
                endpoint,
                Item[Run],
                problems=may,
                body=body,
                needs=Scope.OPERATE,
            )

        yield post("rerun", "Do a run again, whole or from a step; answers the new run", self.rerun, RerunBody)
        about = "Try a step that has failed again now, or the function itself"
        yield post("retry", about, self.retry, RetryBody)
        yield post("wake", "End a sleep, or another wait, as if its time were over", self.wake, WakeBody)
        yield post("resolve", "Give a wait for events, or for an invoked run, its outcome", self.resolve, ResolveBody)

    async def rerun(self, request: Request) -> ASGIApp:
        """POST /runs/{id}/rerun."""
        id, body = await self._asked(request, RerunBody)
        order = Order(body.input, body.from_step, _given(body, "output"), body.request)
        with refusals():
            return await self._answer(await self._steering.rerun(id, order))

    async def retry(self, request: Request) -> ASGIApp:
        """POST /runs/{id}/retry."""
        id, body = await self._asked(request, RetryBody)
        with refusals():
            await self._steering.retry(id, body.step)
        return await self._answer(id)

    async def wake(self, request: Request) -> ASGIApp:
        """POST /runs/{id}/wake."""
        id, body = await self._asked(request, WakeBody)
        with refusals():
            await self._steering.wake(id, body.step)
        return await self._answer(id)

    async def resolve(self, request: Request) -> ASGIApp:
        """POST /runs/{id}/resolve."""
        id, body = await self._asked(request, ResolveBody)
        with refusals():
            output, error = _given(body, "output"), _given(body, "error")
            await self._steering.resolve(id, body.step, output=output, error=error)
        return await self._answer(id)

    async def _asked(self, request: Request, model: Any) -> tuple[str, Any]:
        parameters(request, NoQuery)
        return request.path_params["id"], await body_of(request, model)

    async def _answer(self, id: str) -> ASGIApp:
        view = await self._history.run(id)
        if view is None:
            raise not_found("run", id)
        return answer(Item[Run](data=run_views.run(view)))


def _given(body: Body, name: str) -> Given | None:
    """A field, also when null was given."""
    return Given(getattr(body, name)) if name in body.model_fields_set else None


@contextmanager
def refusals() -> Generator[None]:
    """Turns refusals into problems."""
    try:
        yield
    except NotSteered as refusal:
        raise Problem(*_kind(refusal), refusal.problem, refusal.hint) from None
    except UnencodableJSON:
        raise Problem(422, "unfit", "the JSON of the body is nested too deep to be kept") from None


def _kind(refusal: NotSteered) -> tuple[int, str]:
    match refusal:
        case NoSuchRun() | NoSuchStep() | NoSuchFunction():
            return 404, "not_found"
        case NotNow():
            return 409, "not_now"
        case _:
            return 422, "unfit"
