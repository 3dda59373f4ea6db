"""Steering runs by hand: starting them, doing them again, and ending what they wait for."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from stepwell.platform.clock import Clock
from stepwell.platform.codec import decode
from stepwell.platform.engine.partition import Partition
from stepwell.platform.engine.runs import Runs
from stepwell.platform.ids import partition_of
from stepwell.platform.incoming import LATEST
from stepwell.platform.reading.steps import steps_of
from stepwell.platform.records import Status, StepRow
from stepwell.platform.registry import Registry
from stepwell.platform.settings import Settings
from stepwell.platform.steering.invoking import Invoking
from stepwell.platform.steering.order import Given, Order
from stepwell.platform.steering.outcomes import ByHand, is_over, is_recorded
from stepwell.platform.steering.refusals import NotNow, Unfit
from stepwell.platform.steering.rerunning import Rerunning
from stepwell.platform.steering.subject import Subject, some_of


class Steering:
    """Every method may raise `NotSteered`, and `StepwellError` when Redis cannot be reached.

    Args:
        partitions: all of them.
        runs: those of each partition.
        registry: knows the functions.
        settings: limits.
        clock: theirs.
    """

    __slots__ = ("_clock", "_invoking", "_partitions", "_rerunning", "_runs", "_settings")

    def __init__(
        self,
        partitions: Sequence[Partition],
        runs: Sequence[Runs],
        registry: Registry,
        settings: Settings,
        clock: Clock,
    ) -> None:
        self._partitions = partitions
        self._runs = runs
        self._rerunning = Rerunning(partitions, runs, registry, settings, clock)
        self._invoking = Invoking(partitions, runs, registry, settings, clock)
        self._settings = settings
        self._clock = clock

    async def invoke(self, function: str, data: Mapping[str, Any], request: str | None = None) -> str:
        """Starts a run of one function (as `app/function`), and gives its id.

        Asked again within a day with the same `request`, a word of the caller's own, it is the run of the first time.
        """
        return await self._invoking.invoke(function, data, request)

    async def rerun(self, id: str, order: Order) -> str:
        """Creates a run that does another one again, and gives its id. The other run stays as it is."""
        return await self._rerunning.rerun(id, order)

    async def retry(self, id: str, key: str | None = None) -> None:
        """Has a step that has failed tried again now; without one, the function itself.

        A step that is to be tried again now stays so: an answer may have been lost, and this asked again.
        """
        subject = await Subject.find(self._partitions, id)
        if key is not None:
            await subject.step(key)
        if await self._runs_of(id).retry_now(id, key or "") == "OK":
            return
        if key is None:
            raise NotNow("the function is not about to be tried again", await _hint_of_steps(subject))
        row = await subject.step(key)
        if row.state != "retrying" or row.due or subject.run.status.ended:
            raise NotNow(f"step {key!r} is not about to be tried again", _hint(subject))

    async def hurry(self, id: str) -> None:
        """Has all of a run that is about to be tried again tried now: its function, or its steps.

        What is to be tried again now stays so: an answer may have been lost, and this asked again.
        """
        subject = await Subject.find(self._partitions, id)
        rows = await steps_of(subject.home, subject.run)
        keys = ["", *[row.key for row in rows if row.state == "retrying"]]
        answers = await asyncio.gather(*[self._runs_of(id).retry_now(id, key) for key in keys])
        if "OK" not in answers and not await self._is_hurried(id):
            raise NotNow("nothing of it is about to be tried again", _hint(subject))

    async def _is_hurried(self, id: str) -> bool:
        """Whether something of a run is to be tried again now."""
        subject = await Subject.find(self._partitions, id)
        if subject.run.status is Status.QUEUED and subject.run.attempt and not subject.run.notbefore:
            return True
        rows = await steps_of(subject.home, subject.run)
        return not subject.run.status.ended and any(row.state == "retrying" and not row.due for row in rows)

    async def failed_step(self, id: str) -> str:
        """Key of the step by which a run has failed; of one whose function caught that, the step that failed last."""
        subject = await Subject.find(self._partitions, id)
        rows = await steps_of(subject.home, subject.run)
        failed = sorted((row for row in rows if row.state == "failed"), key=lambda row: row.turn)
        if not failed:
            raise NotNow("no step of it has failed", "Do it again whole")
        message = str(decode(subject.header.get(b"err") or b"{}").get("message", ""))
        told = [row for row in failed if message.startswith(f"step {row.key!r}")]
        return (told or failed)[-1].key

    async def wake(self, id: str, key: str) -> None:
        """Ends a wait as if its time were over.

        When it is, nothing is done: an answer may have been lost, and this asked again.
        """
        subject = await Subject.find(self._partitions, id)
        row = await subject.step(key)
        if is_over(row):
            return
        if row.state == "pending" and row.due == LATEST:
            raise NotNow(f"step {key!r} waits without a timeout", "Resolve it, with an outcome")
        if await self._runs_of(id).wake(id, key) != "OK":
            raise _not_waiting(row, subject)

    async def resolve(self, id: str, key: str, *, output: Given | None = None, error: Given | None = None) -> None:
        """Gives a wait for events, or for another run, its outcome: one of `output` and `error`, {type, message}.

        Given the one that it has, nothing is done: an answer may have been lost, and this asked again.
        """
        subject = await Subject.find(self._partitions, id)
        row = await subject.step(key)
        if row.state == "pending":
            payload = self._outcome(subject, row, output, error)
            if await self._runs_of(id).resolve(id, key, ok=error is None, payload=payload, by_hand=True) == "OK":
                return
            row = await subject.step(key)
        if not is_recorded(subject, row, output, error, self._settings.max_output_bytes):
            raise _not_waiting(row, subject)

    def _outcome(self, subject: Subject, row: StepRow, output: Given | None, failure: Given | None) -> bytes:
        if (output is None) == (failure is None):
            raise Unfit(f"step {row.key!r} takes either an output or an error", "Give one of them")
        by_hand = ByHand(subject, self._clock.now(), self._settings.max_output_bytes)
        if failure is not None:
            return by_hand.error(row, failure.value)
        assert output is not None
        return by_hand.output(row, output.value)

    def _runs_of(self, id: str) -> Runs:
        return self._runs[partition_of(id)]


def _not_waiting(row: StepRow, subject: Subject) -> NotNow:
    if row.state == "retrying" and not subject.run.status.ended:
        return NotNow(f"step {row.key!r} is about to be tried again, and waits for nothing else", "Retry it")
    return NotNow(f"step {row.key!r} does not wait any more", _hint(subject))


def _hint(subject: Subject) -> str:
    if subject.run.status.ended:
        return f"The run is {subject.run.status}; to do it again, rerun it"
    return "The run shows what it waits for as waiting_on"


async def _hint_of_steps(subject: Subject) -> str:
    """What to do when it is not the function, but perhaps steps of it, that can be tried again."""
    if subject.run.status.ended:
        return _hint(subject)
    steps = [repr(row.key) for row in await steps_of(subject.home, subject.run) if row.state == "retrying" and row.due]
    if not steps:
        return _hint(subject)
    what = f"Step {steps[0]} is: name it" if len(steps) == 1 else f"Steps {some_of(steps)} are: name one of them"
    return f'{what}, with `--step` or as {{"step": …}}'
