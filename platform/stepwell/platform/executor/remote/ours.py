"""One execution of a run by an app of our own SDK that is called over HTTP."""

import asyncio
from collections.abc import Mapping
from typing import Any

from stepwell.functions.journal import Outcome
from stepwell.functions.replay import Cancelled, Completed, Ending, Failed, Released, Retry, Start, Suspended
from stepwell.functions.served.words import told
from stepwell.functions.values import check_size
from stepwell.platform.executor.handlers import Taken
from stepwell.platform.executor.remote.judgement import LOST, Judgement
from stepwell.platform.executor.remote.line import Line
from stepwell.platform.incoming import LATEST
from stepwell.platform.wire.entries import Checkpoint, error_text, json_of
from stepwell.platform.wire.memos import error_kept, failed
from stepwell.platform.wire.operations import BadReply
from stepwell.platform.wire.ours import VERSION, our_call
from stepwell.platform.wire.replies import Away, Output, Raised, Reply, Reported


class OurExecution:
    """Executes a leased run by one call; see `Running`.

    The app runs the handler from the top, as a worker does, and records by itself what its steps do and wait for. What
    becomes of waits meanwhile, and that the run is to be cancelled, it learns when it records, or asks.

    Args:
        url: of the function.
        run: that was leased.
        start: what it begins with.
        line: to the app.
    """

    def __init__(self, url: str, run: Taken, start: Start, line: Line) -> None:
        self._url = url
        self._run = run
        self._start = start
        self._line = line
        self._judgement = Judgement(url, start, line)
        self._drift: list[str] = []
        self._left = asyncio.Event()

    @property
    def drift(self) -> list[str]:
        """See `Running`."""
        return self._drift

    @property
    def executing(self) -> list[tuple[str, int, int]]:
        """Only the app knows."""
        return []

    async def run(self) -> Ending:
        """See `Running`."""
        tasks = asyncio.create_task(self._execute()), asyncio.create_task(self._leave())
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            ending = next(task for task in tasks if task.done()).result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        if not isinstance(ending, Released | Suspended):
            self._line.circuit.forget(self._start.run_id)
        return ending

    def resolve(self, outcome: Outcome) -> None:
        """The app hears of it; and if it suspends the run before that, the run goes on at once."""

    def cancel(self) -> None:
        """The app hears of it; and if it does not let go of the run in time, it is left."""

    def abandon(self) -> None:
        """See `Running`."""
        self._left.set()

    def drain(self) -> None:
        """A call goes on to its end, if there is time for it; there is no other one after it."""

    async def _leave(self) -> Ending:
        await self._left.wait()
        return Released()

    async def _execute(self) -> Ending:
        try:
            return await self._ended(await self._post())
        except LOST:
            return Released()
        except Exception as error:
            return self._judgement.on(error, self._start.turn)

    async def _post(self) -> Reply:
        body = self._line.caller.form(our_call(self._start, self._run.lease.token))
        return await self._line.call(self._url, self._start.run_id, VERSION, body)

    async def _ended(self, reply: Reply) -> Ending:
        try:
            match reply.said:
                case Reported([operation]) if operation.own:
                    return await self._reported(operation.code, operation.own)
                case Raised(error) if own := told(error):
                    return self._failed(own)
                case Raised(error):
                    return self._judgement.raised(error_kept(error), reply)
                case Reported() | Output():
                    raise BadReply("it does not answer as a Stepwell app does: register it again")
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise BadReply(f"its answer cannot be read: {type(error).__name__}: {error}") from None

    async def _reported(self, code: str, own: Mapping[str, Any]) -> Ending:
        match code:
            case "RunComplete":
                self._drift = [str(key) for key in own["drift"]]
                output = json_of(own["output"])
                check_size(output, self._start.function_id, self._line.max_output)
                return Completed(output)
            case "DiscoveryRequest":
                return await self._released(own)
            case _ if own.get("cancelled"):
                return Cancelled()
            case _:
                return Suspended(_number(own["turn"]), _number(own["within"]))

    async def _released(self, own: Mapping[str, Any]) -> Ending:
        """The app could not record what it has done: that is done here."""
        for given in own["unsaved"]:
            step = Checkpoint.model_validate(given)
            payload = json_of(step.payload) if step.ok else error_text(step.payload)
            check_size(payload, f"step {step.key!r}", self._line.max_output)
            await self._run.journal.checkpoint(step.key, step.kind, step.ok, step.attempts, step.took, payload)
        if not own["unsaved"] and not own["why"]:
            # It was told there that the run is not its own. Had it lost the run, this would not be recorded either.
            why = f"{self._url}: it records at another server: set its STEPWELL_URL to the one that calls it"
            return self._judgement.raised(failed("NotRecorded", why))
        if own["unsaved"]:
            return Released()
        return self._judgement.away(Away(f"the app cannot record: {own['why']}"), self._start.turn)

    def _failed(self, own: Mapping[str, Any]) -> Ending:
        error = error_text(own["error"])
        if "delay" in own:
            return Retry(error, _number(own["delay"]))
        self._drift = [str(key) for key in own["drift"]]
        return Failed(error)


def _number(given: Any) -> int:
    """A turn, or ms. Raises `ValueError`."""
    if type(given) is not int or not 0 <= given <= LATEST:
        raise ValueError(f"{given!r:.60} is no number that can be meant")
    return given
