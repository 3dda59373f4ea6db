"""`POST /v1/signals`: gives a signal to the run that waits for it."""

from collections.abc import Iterator
from typing import Any, cast

from starlette.requests import Request
from starlette.routing import Route

from stepwell.platform.api.problems import Problem
from stepwell.platform.api.scopes import Scope
from stepwell.platform.api.wire.counter import Counter, json_of
from stepwell.platform.codec import encode
from stepwell.platform.waits.signals import Signals


class SignalsApi:
    """Takes signals.

    Args:
        counter: lets callers in.
        signals: who waits for which.
        most: bytes of the data of one, as of an event.
    """

    def __init__(self, counter: Counter, signals: Signals, most: int) -> None:
        self._counter = counter
        self._signals = signals
        self._most = most

    def routes(self) -> Iterator[Route]:
        """The rows of the route table."""
        yield self._counter.route("POST", "/v1/signals", self.send, Scope.OPERATE)

    async def send(self, request: Request) -> Any:
        """POST /v1/signals."""
        given = await json_of(request)
        told: dict[str, Any] = cast("dict[str, Any]", given) if isinstance(given, dict) else {}
        signal, data = told.get("signal"), told.get("data")
        if not isinstance(signal, str) or not signal:
            raise Problem(400, "invalid_body", 'a signal is {"signal": its name, "data": …}')
        size = len(encode(data))
        if size > self._most:
            text = f"the data of the signal has {size:,} bytes, and may have {self._most:,}"
            raise Problem(413, "too_large", text, "The setting is STEPWELL_MAX_EVENT_BYTES")
        run = await self._signals.send(signal, data)
        if run is None:
            raise Problem(404, "not_found", f"no run waits for the signal {signal[:200]!r}")
        return {"data": {"run_id": run}}
