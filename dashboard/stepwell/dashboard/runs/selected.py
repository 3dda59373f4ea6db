"""Cancelling, or doing again, the runs of a page that somebody has marked."""

import asyncio
from collections.abc import Iterator
from hashlib import sha256

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from stepwell.dashboard.address import Address, acting
from stepwell.dashboard.forms import Form
from stepwell.platform.api.door import local
from stepwell.platform.api.problems import Problem
from stepwell.platform.ids import is_id
from stepwell.platform.installation import Installation
from stepwell.platform.reading.pages import MOST_ITEMS
from stepwell.platform.steering.order import Order
from stepwell.platform.steering.refusals import NotSteered

MARK = "run-"
"""What the names of the boxes begin with, before the id of their run."""


class SelectedRuns:
    """`/runs/selected`."""

    def __init__(self, installation: Installation) -> None:
        self._installation = installation

    def addresses(self) -> Iterator[Address]:
        """Where it is."""
        yield acting("/runs/selected", self.act)

    async def act(self, request: Request, form: Form) -> Response:
        """POST /runs/selected: leads back to the list."""
        runs = sorted(name.removeprefix(MARK) for name in form if name.startswith(MARK))[:MOST_ITEMS]
        if not runs or not all(map(is_id, runs)):
            raise Problem(422, "unfit", "no run is marked", "Mark some in the list, and try again")
        acts = {"cancel": self._cancel, "rerun": self._rerun}
        act = acts.get(form.get("act", ""))
        if act is None:
            raise Problem(422, "unfit", f"nothing is called {form.get('act', '')[:80]!r} here", "Cancel, or rerun")
        done = await asyncio.gather(*[act(run, form.get("request", "")) for run in runs])
        if refused := [said for said in done if said]:
            message = f"{len(refused)} of {len(runs)} runs stayed as they were: {refused[0]}"
            raise Problem(409, "not_now", message, "The others are done; look at the list again")
        return RedirectResponse(local(form.get("back", "/runs")), 303)

    async def _cancel(self, run: str, _: str) -> str:
        if await self._installation.history.run(run) is None:
            return f"there is no run {run}"
        await self._installation.runs_at(run).cancel(run)
        return ""

    async def _rerun(self, run: str, request: str) -> str:
        # One form, sent twice, does nothing twice.
        own = sha256(f"{request} {run}".encode()).hexdigest()[:32]
        try:
            await self._installation.steering.rerun(run, Order(request=own))
        except NotSteered as refusal:
            return str(refusal)
        return ""
