"""`POST /v0/gql`: the four questions that SDKs' own tests ask about runs, known by the fields they ask for."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, cast

from starlette.requests import Request
from starlette.routing import Route

from stepwell.platform.api.problems import Problem
from stepwell.platform.api.scopes import Scope
from stepwell.platform.api.wire import telling
from stepwell.platform.api.wire.counter import Counter, json_of
from stepwell.platform.codec import decode, encode
from stepwell.platform.history import History
from stepwell.platform.wire.memos import error_of


class GqlApi:
    """Answers them.

    Args:
        counter: lets callers in.
        history: reads.
    """

    def __init__(self, counter: Counter, history: History) -> None:
        self._counter = counter
        self._history = history

    def routes(self) -> Iterator[Route]:
        """The rows of the route table."""
        yield self._counter.route("POST", "/v0/gql", self.ask, Scope.READ)

    async def ask(self, request: Request) -> Any:
        """POST /v0/gql."""
        body = await json_of(request)
        given = cast("dict[str, Any]", body if isinstance(body, dict) else {})
        query, variables = str(given.get("query") or ""), given.get("variables")
        known = cast("dict[str, Any]", variables if isinstance(variables, dict) else {})
        return {"data": await self._answer(query, known)}

    async def _answer(self, query: str, known: Mapping[str, Any]) -> dict[str, Any]:
        if "runTraceSpanOutputByID" in query:
            return {"runTraceSpanOutputByID": await self._output(argument("outputID", query, known))}
        if "functionRuns" in query:
            return {"event": await self._event(argument("eventId", query, known))}
        if "childrenSpans" in query:
            return {"run": await self._trace(argument("runID", query, known))}
        if "runTrigger" in query or "run(" in query:
            return await self._run(argument("runID", query, known))
        raise Problem(400, "unknown_query", "only the queries of SDKs' own tests are answered here", "Use /api/v1")

    async def _run(self, id: str) -> dict[str, Any]:
        view = await self._history.run(id)
        if view is None:
            return {"run": None, "runTrigger": None}
        events = [await self._history.event(event) for event in view.events]
        status, output = telling.STATUSES[view.run.status].upper(), telling.output(view.run)
        return {
            "run": {"id": id, "status": status, "output": _text(output) if view.run.status.ended else None},
            "runTrigger": {"payloads": [_text(telling.event(event)) for event in events if event]},
        }

    async def _event(self, id: str) -> dict[str, Any] | None:
        record = await self._history.event(id)
        return {"functionRuns": [{"id": run} for run in record.runs]} if record else None

    async def _trace(self, id: str) -> dict[str, Any] | None:
        steps = await self._history.steps(id)
        if steps is None:
            return None
        spans = [{"name": step.key, "outputID": f"{id}/{step.key}"} for step in steps]
        return {"trace": {"childrenSpans": spans}}

    async def _output(self, id: str) -> dict[str, Any] | None:
        run, _, key = id.partition("/")
        steps = await self._history.steps(run) or []
        found = next((step for step in steps if step.key == key and step.payload), None)
        if found is None or found.state == "pending":
            return {"data": None, "error": None}
        if found.state == "done":
            return {"data": found.payload.decode(), "error": None}
        return {"data": None, "error": {"stack": None, **error_of(decode(found.payload))}}


def argument(name: str, query: str, variables: Mapping[str, Any]) -> str:
    """What an argument of a query is: it is written there, or the name of a variable is. Raises a `Problem`."""
    found = re.search(rf'\b{name}\s*:\s*(?:\$(\w+)|"([^"]*)")', query)
    value = variables.get(found[1]) if found and found[1] else found and found[2]
    if not isinstance(value, str):
        raise Problem(400, "unknown_query", f"the query does not say its {name}")
    return value


def _text(value: Any) -> str:
    return encode(value).decode()
