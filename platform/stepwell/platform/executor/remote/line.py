"""The way to a function of an app that is called over HTTP."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from stepwell.platform.clock import Clock
from stepwell.platform.executor.remote.caller import CONNECT, Caller
from stepwell.platform.executor.remote.circuit import Circuit
from stepwell.platform.executor.remote.gateway import Gateway
from stepwell.platform.wire.operations import BadReply
from stepwell.platform.wire.replies import Reply


@dataclass(frozen=True, slots=True)
class Line:
    """What the calls of an app have in common.

    Args:
        caller: posts them.
        circuit: whether the app is there.
        clock: tells when waits end.
        named: the function, as `app/function`, that the app calls by a name.
        crash_limit: times in a row that the connection may break while the app has a call of one run.
        max_output: bytes of the output of a step, or of the function.
        gateway: makes requests for steps.
        retry_interval: seconds by which each pause before a retry is longer than the last; `None`: as usual.
    """

    caller: Caller
    circuit: Circuit
    clock: Clock
    named: Callable[[str], str]
    crash_limit: int
    max_output: int
    gateway: Gateway
    retry_interval: float | None = None

    async def call(self, url: str, run: str, version: int, body: bytes) -> Reply:
        """Calls the app for a run; see `Caller`. That it is there is known from its answer, or when it has the call."""
        there = asyncio.get_running_loop().call_later(CONNECT + 1, self.circuit.reached)
        try:
            reply = await self.caller.call(url, run, version, body)
        except BadReply:
            self.circuit.holds(run)  # something is there
            raise
        finally:
            there.cancel()
        self.circuit.holds(run)
        return reply
