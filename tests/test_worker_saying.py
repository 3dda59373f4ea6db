"""What a worker says of attempts that fail."""

from typing import Any

import pytest
from structlog.testing import capture_logs

from stepwell.functions import App, Context, Retries
from stepwell.platform.records import Status
from stepwell.platform.store.store import Store
from tests.platform_harness import harness


@pytest.mark.parametrize("where", ["step", "handler"])
async def test_each_failed_attempt_is_said_in_a_line(store: Store, where: str) -> None:
    app = App("shop")

    @app.function(on="go", retries=Retries(1, delay="10s", jitter="none"))
    async def work(ctx: Context[Any]) -> None:
        async def charge() -> None:
            raise KeyError("nope")

        await (ctx.step.run("charge", charge) if where == "step" else charge())

    with capture_logs() as logs:
        async with harness(store, app) as platform:
            run = await platform.start("go")
            await platform.until(run, Status.WAITING)
            await platform.advance(10_000)
            await platform.until(run, Status.FAILED)
    said = [{**log, "run": log["run"] == run} for log in logs if log.get("function") == "shop/work"]
    common = {"log_level": "warning", "run": True, "function": "shop/work", "error": "KeyError: 'nope'"}
    if where == "step":
        first, second, last = said
        assert first == {**common, "event": "step_failed", "step": "charge", "attempt": 1, "again_in": "10 s"}
        assert second == {**common, "event": "step_failed", "step": "charge", "attempt": 2}
        assert last["event"] == "run_failed"
        assert last["error"].startswith("StepFailed")
    else:
        assert said == [
            {**common, "event": "attempt_failed", "attempt": 1, "again_in": "10 s"},
            {**common, "event": "run_failed", "attempt": 2},
        ]
