"""Group commit: what concurrent tasks want from one script in one tick of the event loop travels in one call."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextvars import Context
from functools import partial
from typing import Protocol, TypeAlias, cast

from stepwell.platform.errors import ScriptFault, StepwellError
from stepwell.platform.store.connection import Argument, Reply, ReplyFuture
from stepwell.platform.store.scripts import Item

Waiting: TypeAlias = tuple[Item, ReplyFuture]
Done: TypeAlias = Callable[[Reply, Exception | None], None]
"""Told what a call gave, or what it raised."""

MOST_ITEMS = 64
MOST_BYTES = 1 << 20
IN_FLIGHT = 2


class Partitions(Protocol):
    """What runs the scripts: a `Store`."""

    def begin(self, partition: int, name: str, fixed: Sequence[Argument], items: Sequence[Item], done: Done) -> None:
        """See `Store.begin`."""
        ...


class Group:
    """Gathers items for one script in one partition. The script answers a list, one answer per item.

    Items keep the order in which they were added. They wait for the end of the tick, or for one of the two calls
    in flight to return, and never for time to pass.

    Args:
        store: where the script runs.
        partition: 0 to `store.partitions` - 1.
        verb: the script.
        fixed_args: gives the values of its `--! args` for each call.
    """

    def __init__(
        self, store: Partitions, partition: int, verb: str, fixed_args: Callable[[], Sequence[Argument]] = tuple
    ) -> None:
        self._store = store
        self._partition = partition
        self._verb = verb
        self._fixed_args = fixed_args
        self._loop = asyncio.get_running_loop()
        # Calls serve many tasks, so none may inherit the context of the one that happened to come first.
        self._context = Context()
        self._waiting: deque[Waiting] = deque()
        self._scheduled = False
        self._in_flight = 0

    def add(self, item: Item) -> ReplyFuture:
        """The answer to one item: await it. Cancelling it gives up the answer, and an item that was not sent yet.

        The future raises what `Store.script` raises for the call the item travelled in.
        """
        future: ReplyFuture = self._loop.create_future()
        self._waiting.append((item, future))
        if not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._flush, context=self._context)
        return future

    def _flush(self) -> None:
        self._scheduled = False
        while self._waiting and self._in_flight < IN_FLIGHT:
            batch = list(self._take())
            if batch:
                self._begin(batch)

    def _begin(self, batch: list[Waiting]) -> None:
        self._in_flight += 1
        items = [item for item, _ in batch]
        try:
            self._store.begin(self._partition, self._verb, self._fixed_args(), items, partial(self._landed, batch))
        except StepwellError as error:
            self._landed(batch, None, error)

    def _take(self) -> Iterator[Waiting]:
        """The next items that fit into one call; the first always does."""
        count = room = 0
        while self._waiting and count < MOST_ITEMS:
            item, future = self._waiting[0]
            # What can be large, a payload, comes last in every item.
            size = len(item[-1]) if isinstance(item[-1], bytes) else 0
            if count and room + size > MOST_BYTES:
                return
            self._waiting.popleft()
            if not future.done():
                count, room = count + 1, room + size
                yield item, future

    def _landed(self, batch: list[Waiting], reply: Reply, error: Exception | None) -> None:
        self._in_flight -= 1
        answers = cast("Sequence[Reply]", reply) if isinstance(reply, list) else ()
        if error is None and len(answers) != len(batch):
            error = ScriptFault(self._verb, f"answered {reply!r:.80} to {len(batch)} items")
        if error is None:
            for (_, future), answer in zip(batch, answers, strict=True):
                if not future.done():
                    future.set_result(answer)
        else:
            for _, future in batch:
                if not future.done():
                    future.set_exception(error)
        if self._waiting and not self._scheduled:
            self._flush()
