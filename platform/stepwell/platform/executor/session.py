"""A worker's session: the name under which it leases, and the calls it makes under it."""

import asyncio

from stepwell.platform.ids import new_id


class Session:
    """One life of a worker. Dead once, it stays dead: its runs belong to others.

    Args:
        id: unique, such as `new_session_id` makes.
    """

    __slots__ = ("_calls", "dead", "id")

    def __init__(self, id: str) -> None:
        self.id = id
        self.dead = asyncio.Event()
        self._calls = 0

    def next_call(self) -> str:
        """A name for the next lease call, and the token of what it brings."""
        self._calls += 1
        return f"{self.id}:{self._calls}"


def new_session_id(now: int) -> str:
    """A session id of the time `now` in ms UTC."""
    return new_id(now)
