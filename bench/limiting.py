"""How many events one API process takes in of which a rate limit lets ten a minute start a run."""

from bench.figure import Figure
from bench.ingest import BATCH, figure
from bench.scale import Setting
from bench.stack import CONTROLLED, running


async def measure(setting: Setting) -> list[Figure]:
    """Single events and batches; no worker takes CPU time from it."""
    async with running(setting, target=CONTROLLED, deaf=True) as stack:
        await stack.stop_worker()
        return [await figure(setting, stack, batch, "bench.limited", own_ids=False) for batch in (1, BATCH)]
