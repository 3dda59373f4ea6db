"""What an app of our own SDK is told when it is called."""

from stepwell.functions.replay import Start
from stepwell.functions.served.words import OURS, row_of
from stepwell.platform.codec import encode
from stepwell.platform.wire.calls import FIRST

VERSION = 2
"""Of the way of execution."""


def our_call(start: Start, token: str) -> bytes:
    """The body of a call: all that is recorded, as it is, in our field.

    Args:
        start: what the execution begins with.
        token: of the lease.
    """
    ours = {
        "run": start.run_id,
        "function": start.function_id,
        "token": token,
        "attempt": start.attempt,
        "max_attempts": start.max_attempts,
        "turn": start.turn,
        "now": start.now,
        "output_limit": start.output_limit,
        "events": encode(start.events).decode(),
        "steps": [row_of(outcome) for outcome in start.outcomes],
    }
    context = {"run_id": start.run_id, "attempt": start.attempt, "max_attempts": start.max_attempts, "step_id": FIRST}
    return encode(
        {
            "version": VERSION,
            "use_api": False,
            "event": {**start.events[0], "data": {}},
            "events": [],
            "steps": {},
            "ctx": {**context, "stack": {"stack": [], "current": 0}, "qi_id": token},
            OURS: ours,
        }
    )
