"""What a run has recorded, kept by a server that is reached over HTTP."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from stepwell.client.errors import Answered, ClientError
from stepwell.functions.errors import FunctionsError, InvalidStep, LimitExceeded, NonDeterministic, NonRetriable
from stepwell.functions.journal import JournalUnavailable, LeaseLost, Outcome
from stepwell.functions.replay import Execution
from stepwell.functions.replay.turns import Turns
from stepwell.functions.served.link import Server
from stepwell.functions.served.words import journal_path, outcome_of, text, wait_told
from stepwell.functions.waits import EventWait

CONFLICT = 409
WRONG = 400, 413
"""What is refused would be refused again."""
REFUSALS: Mapping[str, type[FunctionsError]] = {one.__name__: one for one in (InvalidStep, LimitExceeded, NonRetriable)}


class WireJournal:
    """The `Journal` of one run while it is executed here; every write is recorded when it returns.

    Args:
        server: records.
        run: its id.
        token: the right to record.
        turn: the last that is known.
    """

    __slots__ = ("_execution", "_missed", "_path", "_server", "_token", "_turns", "_writing", "unsaved", "why")

    def __init__(self, server: Server, run: str, token: str, turn: int) -> None:
        self._server = server
        self._path = journal_path(run)
        self._token = token
        self._turns = Turns(turn)
        self._execution: Execution | None = None
        self._writing = set[str]()
        self._missed: dict[str, Outcome] = {}  # what became of steps whose writes are under way
        self.why = ""
        """What has kept it from recording, if anything has."""
        self.unsaved: list[dict[str, Any]] = []
        """Steps that were executed, and could not be recorded: they go with the answer to the call."""

    def tell(self, execution: Execution) -> None:
        """From now on, an execution is told of what becomes of its waits, and that its run is to be cancelled."""
        self._execution = execution

    async def checkpoint(self, key: str, kind: str, ok: bool, attempts: int, took: int, payload: bytes) -> int:
        """See `Journal`."""
        write = {"key": key, "kind": kind, "ok": ok, "attempts": attempts, "took": took, "payload": payload.decode()}
        try:
            return (await self._written("checkpoint", write)).turn
        except JournalUnavailable:
            self.unsaved.append(write)
            raise

    async def arm(
        self, key: str, kind: str, payload: bytes, *, delay: int | None = None, until: int | None = None
    ) -> Outcome:
        """See `Journal`."""
        write = {"key": key, "kind": kind, "payload": payload.decode(), "delay": delay, "until": until}
        return await self._written("arm", write)

    async def retry(self, key: str, kind: str, attempts: int, delay: int, took: int, error: bytes) -> Outcome:
        """See `Journal`."""
        write = {"key": key, "kind": kind, "attempts": attempts, "delay": delay, "took": took, "error": error.decode()}
        return await self._written("retry", write)

    async def send(self, key: str, events: Sequence[Mapping[str, Any]]) -> list[str]:
        """See `Journal`."""
        answer = await self._asked("send", {"key": key, "events": events})
        ids: list[str] = answer["ids"]
        return ids

    async def wait(
        self,
        key: str,
        kind: str,
        waits: Sequence[EventWait],
        *,
        delay: int | None,
        until: int | None,
        due: bytes,
        names: Sequence[str] = (),
    ) -> Outcome:
        """See `Journal`."""
        write = {
            "key": key,
            "kind": kind,
            "waits": [wait_told(wait) for wait in waits],
            "delay": delay,
            "until": until,
            "due": due.decode(),
            "names": names,
        }
        return await self._written("wait", write)

    async def invoke(self, key: str, function: str, data: bytes, *, delay: int | None, detach: bool) -> Outcome:
        """See `Journal`."""
        write = {"key": key, "function": function, "data": data.decode(), "delay": delay, "detach": detach}
        return await self._written("invoke", write)

    async def look(self) -> None:
        """Hears what has become of waits, and whether the run is to be cancelled."""
        try:
            self._take(await self._asked("look", {"key": ""}))
        except LeaseLost:
            if self._execution is not None:
                self._execution.abandon()
        except (JournalUnavailable, NonRetriable):
            return  # the next write finds out

    async def _written(self, what: str, write: Mapping[str, Any]) -> Outcome:
        answer = await self._asked(what, write)
        outcome = outcome_of(answer["step"])
        self._take(answer)
        self._turns.learn(outcome.turn)
        missed = self._missed.pop(outcome.key, None)
        if missed is not None and not outcome.ended:
            self._learn(missed)
        return outcome

    def _take(self, answer: Mapping[str, Any]) -> None:
        # In their order: what ended before a step is heard before it.
        for row in answer["news"]:
            self._learn(outcome_of(row))
        if answer["cancel"] and self._execution is not None:
            self._execution.cancel()

    def _learn(self, outcome: Outcome) -> None:
        if outcome.key in self._writing:
            self._missed[outcome.key] = outcome
        elif self._execution is not None:
            self._turns.learn(outcome.turn)
            self._execution.resolve(outcome)

    async def _asked(self, what: str, write: Mapping[str, Any]) -> dict[str, Any]:
        body = text({"token": self._token, "turn": self._turns.high, what: write})
        self._writing.add(write["key"])
        try:
            answer: dict[str, Any] = await self._server.post(self._path, body)
        except Answered as error:
            if error.status == CONFLICT:
                raise LeaseLost(str(error)) from None
            if error.status in WRONG:
                raise NonRetriable(f"step {write['key']!r} cannot be recorded: {error}") from None
            raise self._away(error) from None
        except ClientError as error:
            raise self._away(error) from None
        finally:
            self._writing.discard(write["key"])
        if "refused" in answer:
            _refuse(write["key"], answer["refused"])
        return answer

    def _away(self, error: ClientError) -> JournalUnavailable:
        self.why = str(error)
        return JournalUnavailable(self.why)


def _refuse(key: str, refused: Mapping[str, str]) -> NoReturn:
    if refused["type"] == NonDeterministic.__name__:
        raise NonDeterministic(key, refused["recorded"], refused["asked"])
    raise REFUSALS.get(refused["type"], NonRetriable)(refused["message"])
