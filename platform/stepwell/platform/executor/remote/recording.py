"""Records what an app reports of a run's steps."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, cast

from stepwell.functions.errors import InvalidStep
from stepwell.functions.journal import Outcome
from stepwell.functions.values import check_size
from stepwell.functions.waits import EventWait
from stepwell.platform.codec import encode
from stepwell.platform.executor.journal import RunJournal
from stepwell.platform.executor.remote.gateway import NotFetched
from stepwell.platform.executor.remote.line import Line
from stepwell.platform.executor.remote.pausing import pause
from stepwell.platform.incoming import LATEST
from stepwell.platform.wire.durations import milliseconds
from stepwell.platform.wire.memos import error_kept, failed
from stepwell.platform.wire.operations import BadReply, Operation
from stepwell.platform.wire.replies import Reply


class Recording:
    """Records steps of one run.

    Args:
        function: as `app/function`, for errors.
        journal: of the run.
        line: to its app.
        max_attempts: of each step.
    """

    __slots__ = ("_function", "_journal", "_line", "_max_attempts", "_waits")

    def __init__(self, function: str, journal: RunJournal, line: Line, max_attempts: int) -> None:
        self._function = function
        self._journal = journal
        self._line = line
        self._max_attempts = max_attempts
        self._waits: Mapping[str, Callable[[Operation], Awaitable[Outcome]]] = {
            "Sleep": self._sleep,
            "WaitForEvent": self._wait,
            "WaitForSignal": self._wait_for_signal,
            "InvokeFunction": self._invoke,
        }

    def knows(self, code: str) -> bool:
        """Whether this is an operation that begins a wait."""
        return code in self._waits

    async def begin(self, operation: Operation) -> Outcome:
        """Records a wait; gives what is recorded."""
        return await self._waits[operation.code](operation)

    async def done(self, operation: Operation, attempts: int, took: int) -> Outcome:
        """Records the output of a step whose body ran for `took` ms."""
        payload = encode(operation.data)
        check_size(payload, f"{self._function}: step {operation.key!r}", self._line.max_output)
        turn = await self._journal.checkpoint(operation.key, "run", True, attempts, took, payload)
        return Outcome(operation.key, "run", "done", turn, attempts, 0, payload)

    async def failed(self, operation: Operation, attempts: int, took: int, reply: Reply) -> Outcome:
        """Records a failed attempt: the step is tried again, or has failed."""
        error = error_kept(operation.error)
        if operation.code == "StepFailed" or reply.final or attempts >= self._max_attempts:
            return await self._given_up(operation.key, "run", attempts, took, error)
        delay = pause(attempts, self._line.retry_interval) if reply.pause is None else reply.pause
        return await self._journal.retry(operation.key, "run", attempts, delay, took, error)

    async def fetch(self, operation: Operation, attempts: int) -> Outcome:
        """Makes the request that a step is, and records what came of it."""
        loop, key = asyncio.get_running_loop(), operation.key
        since = loop.time()
        try:
            output = await self._line.gateway.answer(operation, self._line.clock.now())
        except NotFetched as error:
            took, kept = round((loop.time() - since) * 1000), failed("GatewayError", str(error))
            if error.final or attempts >= self._max_attempts:
                return await self._given_up(key, "run", attempts, took, kept)
            delay = pause(attempts, self._line.retry_interval) if error.pause is None else error.pause
            return await self._journal.retry(key, "run", attempts, delay, took, kept)
        return await self.done(replace(operation, data=output), attempts, round((loop.time() - since) * 1000))

    async def refused(self, operation: Operation, why: str) -> Outcome:
        """Records that a step cannot be done."""
        return await self._given_up(operation.key, "run", 1, 0, failed("NotSupported", why))

    async def _given_up(self, key: str, kind: str, attempts: int, took: int, error: bytes) -> Outcome:
        turn = await self._journal.checkpoint(key, kind, False, attempts, took, error)
        return Outcome(key, kind, "failed", turn, attempts, 0, error)

    async def _sleep(self, operation: Operation) -> Outcome:
        asked = operation.options.get("duration") or operation.name
        return await self._journal.arm(operation.key, "sleep", b"", until=self._until(operation.key, asked))

    async def _wait(self, operation: Operation) -> Outcome:
        options = operation.options
        event, timeout = options.get("event") or operation.name, options.get("timeout")
        condition = options.get("if")
        if not isinstance(event, str):
            raise BadReply(f"step {operation.key!r} waits for an event that has no name: {event!r:.100}")
        # Only events from now on count, as the protocol has it.
        wait = EventWait(event, if_=condition if isinstance(condition, str) and condition else None, lookback=False)
        until = self._until(operation.key, timeout) if timeout else self._line.clock.now()
        return await self._journal.wait(operation.key, "wait_for_event", [wait], delay=None, until=until, due=b"null")

    async def _wait_for_signal(self, operation: Operation) -> Outcome:
        options, key = operation.options, operation.key
        signal, timeout = options.get("signal") or operation.name, options.get("timeout")
        if not isinstance(signal, str) or not signal:
            raise BadReply(f"step {key!r} waits for a signal that has no name: {signal!r:.100}")
        until = self._until(key, timeout) if timeout else self._line.clock.now()
        replace = options.get("conflict") == "replace"
        return await self._journal.wait_for_signal(key, signal, until, replace=replace)

    async def _invoke(self, operation: Operation) -> Outcome:
        options, key = operation.options, operation.key
        name, payload = options.get("function_id"), options.get("payload")
        if not isinstance(name, str) or not name:
            raise BadReply(f"step {key!r} invokes a function that has no name: {name!r:.100}")
        given = cast("dict[str, Any]", payload).get("data") if isinstance(payload, dict) else None
        if given is not None and not isinstance(given, dict):
            raise InvalidStep(f"{self._function}: step {key!r}: the data of an event is an object, not {given!r:.100}")
        timeout = options.get("timeout")
        delay = max(0, self._until(key, timeout) - self._line.clock.now()) if timeout else None
        function = self._line.named(name)
        return await self._journal.invoke(key, function, encode(given or {}), delay=delay, detach=False)

    def _until(self, key: str, asked: object) -> int:
        """ms UTC of a duration from now, or of a moment."""
        try:
            if isinstance(asked, int | float):
                return min(self._line.clock.now() + round(asked), LATEST)
            if isinstance(asked, str):
                return min(_moment(asked, self._line.clock.now()), LATEST)
        except (ValueError, OverflowError) as error:
            raise InvalidStep(f"{self._function}: step {key!r}: {error}") from None
        raise BadReply(f"step {key!r} waits until {asked!r:.100}, which is no time")


def _moment(text: str, now: int) -> int:
    if len(text) > 9 and text[:4].isdigit() and text[4] == "-":
        found = datetime.fromisoformat(text)
        return round((found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp() * 1000)
    return now + milliseconds(text)
