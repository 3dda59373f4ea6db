"""What becomes of a run when a call for it has gone wrong."""

import structlog

from stepwell.functions.errors import FunctionsError
from stepwell.functions.journal import JournalUnavailable, LeaseLost
from stepwell.functions.replay import Ending, Failed, Released, Retry, Start, Suspended
from stepwell.functions.replay.failures import failure
from stepwell.platform.errors import StepwellError
from stepwell.platform.executor.remote.line import Line
from stepwell.platform.executor.remote.pausing import pause
from stepwell.platform.wire.memos import failed
from stepwell.platform.wire.operations import BadReply
from stepwell.platform.wire.replies import Away, Broken, Reply

LOST = (LeaseLost, JournalUnavailable, StepwellError)
"""What is raised when nothing more can be recorded by this execution."""
ASIDE = 5_000
"""Ms in which a run that could not reach the app twice lets others find out whether it is there."""


class Judgement:
    """Says how one execution of a run ends.

    Args:
        url: of the function.
        start: what the execution began with.
        line: to the app.
    """

    __slots__ = ("_line", "_start", "_url")

    def __init__(self, url: str, start: Start, line: Line) -> None:
        self._url = url
        self._start = start
        self._line = line

    def on(self, error: Exception, turn: int) -> Ending:
        """The ending for what a call has raised, but for what is `LOST`, in a turn of the run."""
        match error:
            case Away():
                return self.away(error, turn)
            case BadReply():
                return self.raised(failed("BadReply", f"{self._url}: {error}"))
            case FunctionsError():
                return Failed(failure(error))
            case _:
                structlog.get_logger().error(
                    "answer_not_handled", run=self._start.run_id, url=self._url, exc_info=error
                )
                why = f"{self._url}: its answer cannot be handled: {error}"
                return self.raised(failed(type(error).__name__, why))

    def raised(self, error: bytes, reply: Reply | None = None) -> Failed | Retry:
        """The ending of an attempt that has failed outside of the function's steps."""
        tried = self._start.attempt + 1
        if tried >= self._start.max_attempts or (reply is not None and reply.final):
            return Failed(error)
        asked = None if reply is None else reply.pause
        return Retry(error, pause(tried, self._line.retry_interval) if asked is None else asked)

    def away(self, away: Away, turn: int) -> Ending:
        """Nothing of the run has failed, unless it is the run that brings the app down again and again."""
        times = self._line.circuit.broke(str(away), self._start.run_id)
        if isinstance(away, Broken) and times > self._line.crash_limit:
            why = f"{self._url}: {away}, {times} times in a row as this was called"
            return self.raised(failed("Crashed", why))
        # It goes on as soon as the app is there again, and lets others find out when it did so before.
        return Released() if times == 1 else Suspended(turn, ASIDE)
