"""The failed attempts of steps."""

from collections.abc import Iterator, Sequence

from stepwell.platform.engine.partition import Partition
from stepwell.platform.reading.noted import Try, Turn, by_step, noted_of
from stepwell.platform.reading.turns import turns_of, worker_at
from stepwell.platform.records import RunRecord, StepRow


async def tries_of(partition: Partition, run: RunRecord, rows: Sequence[StepRow]) -> dict[str, list[Try]]:
    """Key of a step -> its failed attempts, of those that have any; `run` as it was read before `rows`."""
    if not any(row.attempts > 1 or row.state in ("failed", "retrying") for row in rows):
        return {}
    noted = await noted_of(partition, run.id, run.token)
    known, turns = by_step(noted.tries), turns_of(run, noted)
    tried = {row.key: list(tries_in(row, known.get(row.key, []), turns)) for row in rows}
    return {key: tries for key, tries in tried.items() if tries}


def tries_in(row: StepRow, kept: Sequence[Try], turns: Sequence[Turn]) -> Iterator[Try]:
    """The failed attempts of a step that are kept, the last one with the error that the step has."""
    failed = row.state in ("failed", "retrying") and row.attempts > 0
    for one in kept:
        if not (failed and one.attempt == row.attempts):
            yield one
    if failed:
        last = next((one for one in kept if one.attempt == row.attempts), None)
        started = last.started if last else row.started
        worker = last.token if last else worker_at(turns, row.ended) or ""
        yield Try(row.key, row.attempts, started, row.ended, last.due if last else 0, row.payload, worker)
