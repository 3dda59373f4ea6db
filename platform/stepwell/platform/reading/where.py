"""Expressions by which runs and events are found, and the values of their variables.

Of a run only those variables are read that its expression uses: no data of events where only `error.type` is asked for.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from stepwell.platform.codec import decode
from stepwell.platform.engine.partition import Partition
from stepwell.platform.expressions import EvaluationError, Expression, OutOfBudget, compile_expression
from stepwell.platform.ids import partition_of, time_of
from stepwell.platform.records import EventRecord, RunRecord, Status

AT_ONCE = 16
"""Entries whose values are in memory at the same time."""
SECONDS = 0.2
"""For one page, after which it ends early."""
OF_RUN = ("event", "output", "error", "run")
OF_EVENT = ("event",)


def where_of_run(text: str) -> Expression:
    """An expression over `event`, `output`, `error` and `run`. Raises `ExpressionError`."""
    return compile_expression(text, OF_RUN)


def where_of_event(text: str) -> Expression:
    """An expression over `event`. Raises `ExpressionError`."""
    return compile_expression(text, OF_EVENT)


@dataclass(slots=True)
class Judge:
    """Tells of which entries an expression is true, and when a page has taken its time.

    `undecided`: how many it could not be said of, because the expression needed too many steps.
    """

    where: Expression
    deadline: float
    undecided: int = 0

    @classmethod
    def of(cls, where: Expression) -> "Judge":
        """One for a page that begins now."""
        return cls(where, asyncio.get_running_loop().time() + SECONDS)

    @property
    def late(self) -> bool:
        """Whether no further entry is to be looked at for the page."""
        return asyncio.get_running_loop().time() >= self.deadline

    def finds(self, values: dict[str, Any]) -> bool:
        """Whether it is true; it is not of what it cannot be evaluated for, such as a field that is missing."""
        try:
            return self.where.evaluate(values) is True
        except OutOfBudget:
            self.undecided += 1
        except EvaluationError:
            pass
        return False

    async def values_of(self, partitions: Sequence[Partition], runs: Sequence[RunRecord]) -> list[dict[str, Any]]:
        """The variables that are used, of each of the runs, whose headers suffice."""
        used = self.where.names_used
        return await asyncio.gather(*[_values(partitions[partition_of(run.id)], run, used) for run in runs])


async def _values(home: Partition, run: RunRecord, used: frozenset[str]) -> dict[str, Any]:
    values: dict[str, Any] = {"run": _header(run)} if "run" in used else {}
    if "event" in used:
        record: bytes | None = await home.read("GET", home.keys.name("k_event", run.event))
        values["event"] = event_value(EventRecord.parse(run.event, record)) if record else None
    if "output" in used and run.status is Status.COMPLETED:
        values["output"] = await _body(home, run, "o")
    if "error" in used and run.status in (Status.FAILED, Status.CANCELLED):
        values["error"] = await _body(home, run, "err")
    return values


async def _body(home: Partition, run: RunRecord, field: str) -> Any:
    body: bytes | None = await home.read("HGET", home.keys.name("k_run", run.id), field)
    return decode(body) if body else None


def event_value(event: EventRecord) -> dict[str, Any]:
    """The variable `event`."""
    return {"id": event.id, "name": event.name, "data": event.data, "ts": event.ts}


def _header(run: RunRecord) -> dict[str, Any]:
    return {
        "id": run.id,
        "function": run.function,
        "app": run.function.partition("/")[0],
        "status": run.status.value,
        "event_id": run.event,
        "attempt": run.attempt,
        "steps": run.steps,
        "created_at": time_of(run.id),
        "started_at": run.started or None,
        "ended_at": run.ended or None,
        "version": run.version,
        "parent_id": run.parent[0] if run.parent else None,
        "rerun_of": run.rerun_of,
    }
