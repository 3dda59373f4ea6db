"""One execution of a run whose function is called over HTTP: calls the app, records what it reports, calls again."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from functools import partial

from stepwell.functions.journal import Outcome
from stepwell.functions.replay import Cancelled, Completed, Ending, Failed, Released, Retry, Start, Suspended
from stepwell.functions.values import check_size
from stepwell.platform.codec import encode
from stepwell.platform.executor.handlers import Taken
from stepwell.platform.executor.journal import outcome_of
from stepwell.platform.executor.remote.caller import url_for
from stepwell.platform.executor.remote.gateway import CODES
from stepwell.platform.executor.remote.judgement import LOST, Judgement
from stepwell.platform.executor.remote.known import Known
from stepwell.platform.executor.remote.line import Line
from stepwell.platform.executor.remote.recording import Recording
from stepwell.platform.wire.calls import FIRST, Call, Script
from stepwell.platform.wire.keys import wire_id
from stepwell.platform.wire.memos import error_kept
from stepwell.platform.wire.operations import BadReply, Operation
from stepwell.platform.wire.replies import Output, Raised, Reply, Reported

AT_ONCE = 32
"""Calls of one run under way at a time."""
RESTARTS = 3
"""Times that an app may want to be asked again without having told anything that is new."""
ASKING = ""
"""The call that asks what comes next, among those of steps by their keys."""


class RemoteExecution:
    """Executes a leased run by calls to its app; see `Running`.

    The app is asked what comes next ("asked") whenever something new has been recorded and no call is under way. It
    executes the next step itself, or names steps that may be executed at once, each of which is a call of its own.

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
        self._recording = Recording(start.function_id, run.journal, line, start.max_attempts)
        self._judgement = Judgement(url, start, line)
        events = [encode({**event, "user": {}}) for event in start.events]
        form = line.caller.form
        self._script = Script(start.run_id, start.function_id, run.lease.token, events, start.max_attempts, form)
        self._known = Known(start, self._script)
        self._calls: dict[str, asyncio.Task[None]] = {}
        self._planned: dict[str, bool] = {}  # key -> whether it races
        self._ending: Ending | None = None
        self._last: Ending = Suspended(0)  # unless the calls under way end the run themselves
        self._draining = False
        self._fresh = True
        self._restarts = 0
        self._called_up: set[str] = set()  # steps that the app was asked for when they were due again
        self._attempt = start.attempt
        self._version = -1
        self._made = 0
        self._news = asyncio.Event()
        self._room = asyncio.Semaphore(AT_ONCE)
        self._requests = asyncio.Semaphore(AT_ONCE)  # of their own: those who make them are calls that have room
        self._began: dict[str, float] = {}

    @property
    def drift(self) -> list[str]:
        """Nobody here knows which recorded steps the app does not ask for any more."""
        return []

    @property
    def executing(self) -> list[tuple[str, int, int]]:
        """See `Running`; a step that the app executes on being asked what comes next is not known yet."""
        now = asyncio.get_running_loop().time()
        return [(key, self._known.tried(key) + 1, round((now - since) * 1000)) for key, since in self._began.items()]

    async def run(self) -> Ending:
        """See `Running`."""
        try:
            while self._ending is None:
                self._news.clear()
                self._go_on()
                if self._ending is None:
                    await self._news.wait()
        finally:
            await self._hang_up()
        if not isinstance(self._ending, Released | Suspended):
            self._line.circuit.forget(self._start.run_id)
        return self._ending

    def resolve(self, outcome: Outcome) -> None:
        """See `Running`."""
        self._learn(outcome)
        self._news.set()

    def cancel(self) -> None:
        """The run ends here; what the app is executing is not waited for."""
        self._end(Cancelled())

    def abandon(self) -> None:
        """See `Running`."""
        self._end(Released())

    def drain(self) -> None:
        """See `Running`."""
        self._wind_up(Released())

    # What comes next.

    def _go_on(self) -> None:
        if not self._draining:
            self._begin_calls()
        if not self._calls:
            self._end(self._last if self._draining else Suspended(self._known.turn))

    def _begin_calls(self) -> None:
        due = self._known.due
        # In a sequence the app comes to the step by itself, as in the call in which it has failed.
        alone = len(due) == 1 and not self._calls and not (due[0] in self._planned or due[0] in self._called_up)
        for key in self._planned if alone else {**self._planned, **dict.fromkeys(due)}:
            if key not in self._calls and self._known.may_begin(key):
                self._begin(key, partial(self._execute, key))
        racing = any(self._planned.values())
        if ASKING not in self._calls and (not self._calls or racing) and (self._fresh or alone):
            self._fresh = False
            self._called_up.update(due if alone else ())
            self._begin(ASKING, partial(self._ask, self._known.tried(due[0]) if alone else self._attempt))
            self._attempt = 0

    def _begin(self, key: str, work: Callable[[], Awaitable[None]]) -> None:
        task = self._calls[key] = asyncio.create_task(self._guarded(work))
        task.add_done_callback(lambda _: self._over(key, task))

    def _over(self, key: str, task: asyncio.Task[None]) -> None:
        if self._calls.get(key) is task:
            del self._calls[key]
        self._planned.pop(key, None)
        self._began.pop(key, None)
        self._news.set()

    async def _guarded(self, work: Callable[[], Awaitable[None]]) -> None:
        try:
            async with self._room:
                if not self._draining:  # as it may be since this waits for room
                    await work()
        except LOST:
            self._end(Released())
        except Exception as error:
            self._settle(self._judgement.on(error, self._known.turn))

    # Calls.

    async def _ask(self, attempt: int) -> None:
        """Asks what comes next."""
        call = self._call(FIRST, attempt, planned=len(self._calls) > 1 or self._known.pauses)
        known = len(self._known)
        await self._apply(*await self._post(call))
        if self._ending is None and not self._moves(known):
            raise BadReply("it reports nothing that is new, although the run waits for nothing else")

    def _moves(self, known: int) -> bool:
        """Whether there is something that the run goes on with."""
        planned = any(map(self._known.may_begin, self._planned))
        return self._fresh or self._known.waits or planned or len(self._known) > known or len(self._calls) > 1

    async def _execute(self, key: str) -> None:
        """Has one step executed."""
        self._began[key] = asyncio.get_running_loop().time()
        await self._apply(*await self._post(self._call(wire_id(key), self._known.tried(key), planned=True)))
        if self._ending is None and self._known.may_begin(key):
            raise BadReply(f"it has not executed step {key!r}, which it was called for")

    def _call(self, step: str, attempt: int, *, planned: bool) -> Call:
        self._made += 1
        return Call(step, attempt, planned, self._version, f"{self._run.lease.token}:{self._made}")

    async def _post(self, call: Call) -> tuple[Reply, int]:
        loop = asyncio.get_running_loop()
        since = loop.time()
        url = url_for(self._url, call.step)
        reply = await self._line.call(url, self._start.run_id, call.version, self._script.body(call))
        if reply.version >= 0:
            self._version = reply.version
        return reply, round((loop.time() - since) * 1000)

    async def _apply(self, reply: Reply, took: int) -> None:
        match reply.said:
            case Output(value):
                self._complete(value)
            case Raised(error):
                self._settle(self._judgement.raised(error_kept(error), reply))
            case Reported(operations):
                if reply.apart and not any(one.code == "RunComplete" for one in operations):
                    await self._reread()
                requests = [one for one in operations if one.code in CODES]
                for operation in operations:
                    if operation.code not in CODES:
                        await self._follow(operation, reply, took)
                await self._fetch_all(requests)

    async def _reread(self) -> None:
        for row in await self._run.reread():
            self._learn(outcome_of(row))

    async def _follow(self, operation: Operation, reply: Reply, took: int) -> None:
        """Does what an operation asks for."""
        match operation.code:
            # These are about no step, although the id that they come with may be that of one.
            case "RunComplete":
                self._complete(encode(operation.data))
            case "DiscoveryRequest":
                self._restart()
            case "" | "StepNotFound":
                return
            case _:
                key = self._known.key_of(operation.key)
                if not self._known.has_ended(key):
                    await self._follow_step(replace(operation, key=key), reply, took)

    async def _follow_step(self, operation: Operation, reply: Reply, took: int) -> None:
        key = operation.key
        match operation.code:
            case "StepPlanned":
                if self._known.may_begin(key):
                    self._planned[key] = operation.races
            case "StepRun":
                self._learn(await self._recording.done(operation, self._known.tried(key) + 1, took))
            case "StepError" | "StepFailed":
                self._learn(await self._recording.failed(operation, self._known.tried(key) + 1, took, reply))
            case code if self._recording.knows(code):
                await self._wait(operation)
            case code:
                raise BadReply(f"step {key!r} is to do {code!r:.60}, which is not supported here")

    def _restart(self) -> None:
        self._restarts += 1
        if self._restarts > RESTARTS:
            raise BadReply("it wants to be called again and again, and reports nothing that is new")
        self._fresh = True

    async def _fetch_all(self, operations: Sequence[Operation]) -> None:
        """Makes requests, a few at a time; when one cannot be recorded, the others are given up."""
        requests = [asyncio.create_task(self._fetch(one)) for one in operations]
        try:
            await asyncio.gather(*requests)
        finally:
            for request in requests:
                request.cancel()

    async def _fetch(self, operation: Operation) -> None:
        key = operation.key
        async with self._requests:
            if self._known.may_begin(key):
                self._began[key] = asyncio.get_running_loop().time()
                try:
                    self._learn(await self._recording.fetch(operation, self._known.tried(key) + 1))
                finally:
                    self._began.pop(key, None)

    async def _wait(self, operation: Operation) -> None:
        if operation.key not in self._known:  # what waits already is told of again and again
            self._learn(await self._recording.begin(operation))

    def _learn(self, outcome: Outcome) -> None:
        if self._known.learn(outcome):
            self._fresh, self._restarts = True, 0

    # Endings.

    def _complete(self, value: bytes) -> None:
        check_size(value, self._start.function_id, self._line.max_output)
        self._end(Completed(value))

    def _settle(self, ending: Ending) -> None:
        if isinstance(ending, Failed):
            self._end(ending)
        else:
            self._wind_up(ending)

    def _wind_up(self, ending: Ending) -> None:
        """Begins nothing more; what executes beside is recorded first, so that it is not executed again."""
        if not isinstance(self._last, Retry):
            self._last = ending
        self._draining = True
        self._news.set()

    def _end(self, ending: Ending) -> None:
        if self._ending is None:
            self._ending = ending
        self._news.set()

    async def _hang_up(self) -> None:
        calls = list(self._calls.values())
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
