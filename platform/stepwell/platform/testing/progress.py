"""What goes on in the workers of a test, counted, and told to whoever waits for it."""

import asyncio


class Progress:
    """Something went on: a step began or was recorded, a run was let go."""

    __slots__ = ("_moved", "executions")

    def __init__(self) -> None:
        self.executions = 0
        self._moved = asyncio.Event()

    def note(self) -> None:
        """Something went on."""
        self._moved.set()

    def let_go(self) -> None:
        """A worker has let go of a run."""
        self.executions += 1
        self._moved.set()

    def look(self) -> None:
        """What went on until now is known."""
        self._moved.clear()

    async def wait(self, patience: float) -> None:
        """Returns when something has gone on since the last look. Raises `TimeoutError` after `patience` seconds."""
        async with asyncio.timeout(patience):
            await self._moved.wait()
