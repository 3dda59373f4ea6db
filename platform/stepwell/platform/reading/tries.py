"""The failed attempts of steps."""

from collections.abc import Sequence
from dataclasses import replace

from stepwell.platform.engine.partition import Partition
from stepwell.platform.reading.noted import Try, Turn, by_step, noted_of
from stepwell.platform.reading.turns import turns_of, worker_at
from stepwell.platform.records import RunRecord, StepRow


async def tries_of(partition: Partition, run: RunRecord, rows: Sequence[StepRow]) -> dict[str, list[Try]]:
    """Key of a step -> its failed attempts, of those that have any; `run` as it was read before `rows`."""
    if not rows:
        return {}
    noted = await noted_of(partition, run.id, run.token)
    known, turns = by_step(noted.tries), turns_of(run, noted)
    tried = {row.key: tries_in(row, known.get(row.key, []), turns) for row in rows}
    return {key: tries for key, tries in tried.items() if tries}


def tries_in(row: StepRow, kept: Sequence[Try], turns: Sequence[Turn]) -> list[Try]:
    """The failed attempts of a step that are kept, oldest first, the last one with the error that the step has."""
    if row.state not in ("failed", "retrying") or row.attempts == 0:
        return list(kept)
    last = next((one for one in kept if one.attempt == row.attempts and not one.crashed), None)
    if last is None:
        worker = worker_at(turns, row.ended) or ""
        return [*kept, Try(row.key, row.attempts, row.started, row.ended, 0, row.payload, worker)]
    return [replace(one, error=row.payload) if one is last else one for one in kept]
