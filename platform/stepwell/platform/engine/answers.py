"""What scripts answer instead of doing what they were asked, as exceptions of the engine."""

from typing import Any


class Refusal(Exception):
    """A transition was not made; nothing was written."""


class Stale(Refusal):
    """The token is no longer the run's: somebody else may advance it now."""


class Conflict(Refusal):
    """The step is waiting for something else than what was to be recorded."""


class Reload(Refusal):
    """The caller knows another version of the registry than the one in force."""


class OverLimit(Refusal):
    """A run would have more steps or bytes than it may. `what` is "steps" or "bytes", `size` what it would have."""

    def __init__(self, what: str, size: int) -> None:
        super().__init__(f"run would exceed its limit of {what} with {size}")
        self.what = what
        self.size = size


def accepted(answer: Any) -> Any:
    """The answer itself, unless it is a refusal: then raises the one it is."""
    if type(answer) is int:  # most answers are turns
        return answer
    match answer:
        case b"STALE":
            raise Stale("the lease has ended")
        case b"RELOAD":
            raise Reload("the registry of functions has changed")
        case b"CONFLICT":
            raise Conflict("the step waits for something else")
        case [b"LIMIT", what, size]:
            raise OverLimit(what.decode(), int(size))
        case _:
            return answer
