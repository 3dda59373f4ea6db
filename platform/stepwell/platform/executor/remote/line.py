"""The way to a function of an app that is called over HTTP."""

from collections.abc import Callable
from dataclasses import dataclass

from stepwell.platform.clock import Clock
from stepwell.platform.executor.remote.caller import Caller
from stepwell.platform.executor.remote.circuit import Circuit
from stepwell.platform.executor.remote.gateway import Gateway


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
