"""Executing a call: the handler is run from the top until it has ended, or waits."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from stepwell.functions.function import Function
from stepwell.functions.replay import Execution, Threads
from stepwell.functions.served.call import Call
from stepwell.functions.served.journal import WireJournal
from stepwell.functions.served.link import Server
from stepwell.functions.served.reply import Answer, reply
from stepwell.functions.served.said import Said

LOOK = 1.0
"""Seconds between two looks at what has become of waits while a call goes on."""
Gone = Callable[[], Awaitable[None]]
"""Returns when the caller has hung up."""


async def execute(call: Call, function: Function[Any], server: Server, threads: Threads, gone: Gone) -> Answer:
    """Executes a call as far as it goes.

    Args:
        call: the run.
        function: of it.
        server: where its steps are recorded.
        threads: for `def` handlers and bodies.
        gone: see `Gone`; then nothing more is recorded.
    """
    start = call.start
    journal = WireJournal(server, start.run_id, call.token, start.turn)
    said = Said(server, start.run_id, call.token, start.now)
    execution = Execution(function, start, journal, threads, lambda: said)
    journal.tell(execution)
    beside = [asyncio.ensure_future(one) for one in (_after(gone, execution.abandon), _look(journal))]
    try:
        ending = await execution.run()
    finally:
        for one in beside:
            one.cancel()
        await asyncio.gather(*beside, return_exceptions=True)
    await said.end()
    return reply(ending, execution.drift, journal.unsaved, journal.why)


async def _look(journal: WireJournal) -> None:
    while True:
        await asyncio.sleep(LOOK)
        await journal.look()


async def _after(gone: Gone, then: Callable[[], None]) -> None:
    await gone()
    then()
