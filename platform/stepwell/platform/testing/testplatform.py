"""The platform as a user's tests hold it in their hands."""

from collections.abc import Mapping
from datetime import datetime
from types import TracebackType
from typing import Any, ClassVar, Self

from stepwell.client import Event, StoredEvent
from stepwell.functions import App
from stepwell.functions.durations import Duration, milliseconds, moment
from stepwell.platform.clock import ManualClock
from stepwell.platform.flow.pausing import MODES, Mode
from stepwell.platform.settings import Settings
from stepwell.platform.steering.order import Given, Order
from stepwell.platform.testing.moment import datetime_of
from stepwell.platform.testing.run import TestRun
from stepwell.platform.testing.sending import Data, event_data, event_of, send
from stepwell.platform.testing.stage import Stage, check_apps, stage

PATIENCE = 10.0
UNCHANGED: Any = object()
"""Stands for an output that is not given, since None is one."""


class TestPlatform:
    """A whole platform in memory, with one worker, for tests: `async with TestPlatform(app) as platform`.

    Its time moves only when told to, and nothing is ever slept for.

    Args:
        apps: whose functions are served; at least one.
        settings: limits; by default those of docs/operating.md, whatever the environment says.
        start: the time at which it begins, an aware datetime; by default the beginning of 2026.
        patience: seconds of real time after which a run that does not go on is an error.

    Raises:
        TypeError, ValueError: no apps, something else, or two of one id.
    """

    __test__: ClassVar[bool] = False  # or pytest would take it for a class of tests

    def __init__(
        self, *apps: App, settings: Settings | None = None, start: datetime | None = None, patience: float = PATIENCE
    ) -> None:
        check_apps(apps)
        # As it is made, no field is read from the environment: a test is the same on every machine.
        chosen = settings or Settings.model_construct()
        self._clock = ManualClock() if start is None else ManualClock(moment(start))
        self._stages = stage(apps, chosen, self._clock, patience)
        self._found: Stage | None = None

    async def __aenter__(self) -> Self:
        """Starts the worker. Raises `StoreMisconfigured` when fakeredis is not installed."""
        self._found = await self._stages.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stops it. Raises `AssertionError` when something planned with `fail` or `crash` has never happened."""
        faults = self._stage.faults
        self._found = None
        await self._stages.__aexit__(kind, error, traceback)
        if error is None:
            faults.check()

    @property
    def now(self) -> datetime:
        """The time it is on the platform."""
        return datetime_of(self._clock.now())

    # Events.

    async def send(
        self, event: str | Event, data: Data | None = None, *, id: str | None = None, ts: int | None = None
    ) -> str:
        """Sends an event, waits for nothing, and gives the id that the platform knows it by.

        Args:
            event: its name, or an `Event` with all that belongs to it.
            data, id, ts: as those of `Event`, when only the name is given.

        Raises:
            TypeError, ValueError: it is no event.
            BadEvent: the platform refuses it.
        """
        return await send(self._stage.installation, event_of(event, data, id, ts))

    async def send_and_wait(
        self,
        event: str | Event,
        data: Data | None = None,
        *,
        id: str | None = None,
        ts: int | None = None,
        function: str | None = None,
    ) -> TestRun:
        """Sends an event, settles, and gives the run that it has started.

        Args:
            event, data, id, ts: see `send`.
            function: as `app/function`, of the run wanted, when the event starts several.

        Raises:
            LookupError: it has started no run, or several.
            Unsettled: see `settle`.
        """
        self._stage.reading.check(function)
        sent = await self.send(event, data, id=id, ts=ts)
        await self.settle()
        return await self._stage.reading.run_of(sent, function)

    async def events(self, name: str | None = None) -> list[StoredEvent]:
        """The events that were accepted, those sent by runs among them, in order; of one `name`, or all."""
        return await self._stage.reading.events(name)

    # Time.

    async def settle(self) -> None:
        """Returns when nothing more can happen without time passing: each run has ended, or waits.

        Raises:
            Unsettled: nothing went on for `patience` seconds of real time, or runs start each other without end.
        """
        await self._stage.settling.settle()

    async def advance(self, duration: Duration) -> None:
        """Lets time pass: from timer to timer in their order, and all runs settle at each.

        Args:
            duration: "300ms", "5m", "30d", a timedelta, or seconds.

        Raises:
            InvalidDuration: the duration cannot be read.
            Unsettled: see `settle`; or more than 10,000 timers were due.
        """
        await self._stage.timeline.advance(milliseconds(duration))

    # Runs.

    async def run(self, id: str) -> TestRun:
        """The run as it is now. Raises `LookupError` when there is none of this id."""
        return await self._stage.reading.run(id)

    async def runs(self, function: str | None = None, *, event: str | None = None) -> list[TestRun]:
        """Runs as they are now, in the order of their events.

        Args:
            function: as `app/function`; by default all.
            event: the id that `send` gave, for the runs of that event.

        Raises:
            LookupError: there is no such function, or no such event.
        """
        reading = self._stage.reading
        reading.check(function)
        return await (reading.runs(function) if event is None else reading.runs_of(event, function))

    async def cancel(self, run: str) -> TestRun:
        """Cancels a run, settles, and gives what has become of it.

        Args:
            run: its id.

        Raises:
            LookupError: there is none of this id.
            Unsettled: see `settle`.
        """
        await self.run(run)
        await self._stage.installation.runs_at(run).cancel(run)
        await self.settle()
        return await self.run(run)

    async def pause(self, function: str, mode: Mode = "keep") -> None:
        """Pauses a function, or changes how it is paused, and settles.

        Args:
            function: as "app/function".
            mode: "keep" has all its runs wait, "hold" those that have not begun; "drop" has no more come.

        Raises:
            LookupError: there is no such function.
            ValueError: there is no such mode.
            Unsettled: see `settle`.
        """
        self._stage.reading.check(function)
        if mode not in MODES:
            raise ValueError(f"a function is paused with one of {', '.join(MODES)}, not {mode!r}")
        await self._stage.pausing.pause(function, mode)
        await self.settle()

    async def resume(self, function: str) -> None:
        """Has a paused function go on, and settles. Raises as `pause`."""
        self._stage.reading.check(function)
        await self._stage.pausing.resume(function)
        await self.settle()

    async def invoke(self, function: str, data: Data | None = None) -> TestRun:
        """Starts a run of one function by hand, settles, and gives it; no other function hears of its event.

        Args:
            function: as "app/function".
            data: of its event.

        Raises:
            NotSteered: there is no such function, or a control of it keeps a run from being started; it says why.
            Unsettled: see `settle`.
        """
        made = await self._stage.installation.steering.invoke(function, {} if data is None else event_data(data))
        await self.settle()
        return await self.run(made)

    async def rerun(
        self, run: str, *, data: Data | None = None, from_step: str | None = None, output: Any = UNCHANGED
    ) -> TestRun:
        """Does a run again, settles, and gives the new one.

        Args:
            run: its id.
            data: of its event, instead of the run's own.
            from_step: key of a step; the outcomes of those that were done before it are kept.
            output: of that step, which then is kept as well.

        Raises:
            NotSteered: it cannot be done again like this, or there is no such run or step; it says why.
            Unsettled: see `settle`.
        """
        steering = self._stage.installation.steering
        given = None if output is UNCHANGED else Given(output)
        order = Order(None if data is None else event_data(data), from_step, given)
        made = await steering.rerun(run, order)
        await self.settle()
        return await self.run(made)

    async def retry(self, run: str, step: str | None = None) -> TestRun:
        """Tries a step that has failed again now, or the function itself; settles, and gives what became of the run.

        Args:
            run: its id.
            step: key of the step.

        Raises:
            NotSteered: it is not about to be tried again, or there is no such run or step.
            Unsettled: see `settle`.
        """
        await self._stage.installation.steering.retry(run, step)
        await self.settle()
        return await self.run(run)

    async def wake(self, run: str, step: str) -> TestRun:
        """Ends a sleep, or another wait, as if its time were over; settles, and gives what became of the run.

        One that has ended so stays as it is.

        Args:
            run: its id.
            step: key of the step.

        Raises:
            NotSteered: it has ended otherwise, waits for nothing, has no time that could be over, or there is no such
                run or step.
            Unsettled: see `settle`.
        """
        await self._stage.installation.steering.wake(run, step)
        await self.settle()
        return await self.run(run)

    async def resolve(
        self, run: str, step: str, output: Any = UNCHANGED, *, error: Mapping[str, str] | None = None
    ) -> TestRun:
        """Gives a step that waits for events, or for an invoked run, its outcome; settles, and gives the run.

        Args:
            run: its id.
            step: key of the step.
            output: of an invoke, any value; of `wait_for_event`, an event {"name", "data"} or None; of `wait_for_any`,
                {"name": of the entry, "event": {"data"}}.
            error: instead, {"type", "message"}: the step has failed.

        Raises:
            NotSteered: it does not wait, or for something else, or there is no such run or step.
            Unsettled: see `settle`.
        """
        given = None if output is UNCHANGED else Given(output)
        failure = None if error is None else Given(error)
        await self._stage.installation.steering.resolve(run, step, output=given, error=failure)
        await self.settle()
        return await self.run(run)

    # What goes wrong.

    def fail(
        self,
        step: str,
        *,
        times: int = 1,
        error: Exception | type[Exception] | None = None,
        function: str | None = None,
    ) -> None:
        """Lets the next attempts of a step raise an error instead of running the body.

        Args:
            step: key of the step: its id, then "id:1", "id:2" for repeats.
            times: how many attempts.
            error: what they raise; by default a `RuntimeError`.
            function: as `app/function`, when only its step is meant.

        Raises:
            TypeError, ValueError, LookupError: an argument is not as above.
        """
        self._stage.reading.check(function)
        self._stage.faults.fail(step, times, function, error)

    def crash(
        self,
        *,
        before: str | None = None,
        after: str | None = None,
        times: int = 1,
        function: str | None = None,
    ) -> None:
        """Lets the worker die at a step: nothing more is recorded by it, and the next one takes over its runs.

        Args:
            before: key of a step that has done its work (a body has run, events are sent) and is not recorded yet.
            after: key of a step that has just been recorded: its output, or that it sleeps.
            times: how many workers in a row.
            function: as `app/function`, when only its step is meant.

        Raises:
            TypeError, ValueError, LookupError: an argument is not as above.
        """
        self._stage.reading.check(function)
        self._stage.faults.crash(before, after, times, function)

    # Behind it.

    @property
    def _stage(self) -> Stage:
        if self._found is None:
            raise RuntimeError("the platform is not running: use `async with TestPlatform(app) as platform`")
        return self._found
