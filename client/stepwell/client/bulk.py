"""Steering many runs at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypedDict, Unpack
from urllib.parse import quote

import orjson
from pydantic import TypeAdapter
from ulid import ULID

from stepwell.client.connection import Connection
from stepwell.client.reading import page, read
from stepwell.client.records import BulkAction, BulkJob, BulkPreview, Page, RunStatus

PATH = "/api/v1/bulk"
JOB = TypeAdapter(BulkJob)
JOBS = TypeAdapter(tuple[BulkJob, ...])
PREVIEW = TypeAdapter(BulkPreview)
IDS = TypeAdapter(tuple[str, ...])


class RunsWanted(TypedDict, total=False):
    """Which runs; every filter that is given has to hold. They are those of `client.runs.list`."""

    status: RunStatus | None
    function: str | None
    app: str | None
    event: str | None
    after: int | None
    before: int | None
    id: str | None
    event_id: str | None
    where: str | None


class Bulk:
    """`client.bulk`: jobs of the server that cancel many runs, do them again, or try them again now.

    "cancel" and "retry" are for runs that have not ended, "rerun" for those that have. Every method may raise the
    errors of `stepwell.client.errors`, NotFound for an unknown id.
    """

    def __init__(self, connection: Callable[[], Connection]) -> None:
        self._connection = connection

    async def preview(
        self, action: BulkAction, *, from_failed: bool = False, **wanted: Unpack[RunsWanted]
    ) -> BulkPreview:
        """What a job would do, and why the runs have failed that it is for; nothing is done.

        Args:
            action: "cancel", "rerun" or "retry".
            from_failed: rerun from the step by which each has failed.
            wanted: to which runs, as for `client.runs.list`.
        """
        asked = {"action": action, **_given(wanted)} | ({"from_failed": "true"} if from_failed else {})
        http = self._connection()
        return read(PREVIEW, await http.get(f"{PATH}/preview", asked), http.url)

    async def begin(
        self,
        action: BulkAction,
        *,
        from_failed: bool = False,
        rate: int | None = None,
        all_runs: bool = False,
        **wanted: Unpack[RunsWanted],
    ) -> BulkJob:
        """Have many runs steered, and return the job that does it: it goes on whatever becomes of this process.

        Runs that are created from now on are none of its.

        Args:
            action: "cancel", "rerun" or "retry".
            from_failed: rerun from the step by which each has failed.
            rate: runs per second, at most 500; by default 100.
            all_runs: without a filter, all runs are meant.
            wanted: to which runs, as for `client.runs.list`.

        Raises:
            Refused: it cannot be meant so, or ten jobs go on already.
        """
        # With an id of our own, a try whose answer was lost makes no second job.
        asked: dict[str, Any] = {"action": action, "request": str(ULID()), **_given(wanted)}
        asked |= {"from_failed": from_failed, "all": all_runs} | ({} if rate is None else {"rate": rate})
        http = self._connection()
        return read(JOB, await http.post(PATH, orjson.dumps(asked)), http.url)

    async def get(self, id: str) -> BulkJob:
        """The job as it is now."""
        http = self._connection()
        return read(JOB, await http.get(_path(id)), http.url)

    async def list(self, *, limit: int | None = None, cursor: str | None = None) -> Page[BulkJob]:
        """Jobs, newest first.

        Args:
            limit: most jobs in the page.
            cursor: `next` of the page before.
        """
        given: dict[str, str | int | None] = {"limit": limit, "cursor": cursor}
        http = self._connection()
        params = {name: value for name, value in given.items() if value is not None}
        return page(JOBS, await http.get(PATH, params), http.url)

    async def runs(self, id: str) -> tuple[str, ...]:
        """Ids of the first 1,000 runs that the job has created, or else steered."""
        http = self._connection()
        return read(IDS, await http.get(f"{_path(id)}/runs"), http.url)

    async def resume(self, id: str) -> BulkJob:
        """Have a job that was stopped go on where it was."""
        http = self._connection()
        return read(JOB, await http.post(f"{_path(id)}/resume"), http.url)

    async def stop(self, id: str) -> BulkJob:
        """Have the job stop within a second; what it has done stays done."""
        http = self._connection()
        return read(JOB, await http.post(f"{_path(id)}/stop"), http.url)


def _path(id: str) -> str:
    return f"{PATH}/{quote(id, safe='')}"


def _given(wanted: RunsWanted) -> dict[str, Any]:
    names = {"where": "q"}
    return {names.get(name, name): value for name, value in wanted.items() if value is not None}
