"""Group commit: what concurrent tasks want from one script in one tick of the event loop travels in one call."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextvars import Context
from functools import partial
from typing import Protocol, TypeAlias, cast

from stepwell.platform.errors import ScriptFault
from stepwell.platform.store.connection import Argument, Reply, ReplyFuture
from stepwell.platform.store.scripts import Item

Done: TypeAlias = Callable[[Reply, Exception | None], None]
"""Told what a call gave, or what it raised."""

MOST_ITEMS = 64
MOST_BYTES = 1 << 20
IN_FLIGHT = 2


class Caller(Protocol):
    """Who waits for the answer to an item: a future, or a `Share` of one."""

    def done(self) -> bool:
        """Whether the answer is of no interest any more."""
        ...

    def set_result(self, result: Reply, /) -> None:
        """Takes the answer."""
        ...

    def set_exception(self, exception: Exception, /) -> None:
        """Takes what the call has raised."""
        ...


Waiting: TypeAlias = tuple[Item, Caller]


class Answers:
    """The answers to items that one caller has added together: one future for all, not one for each.

    Args:
        future: gets the list of answers when it is complete, or what the first call that failed has raised.
        count: how many items.
    """

    __slots__ = ("_answers", "_missing", "future")

    def __init__(self, future: ReplyFuture, count: int) -> None:
        self.future = future
        self._answers: list[Reply] = [None] * count
        self._missing = count
        if not count:
            future.set_result([])

    def put(self, index: int, answer: Reply) -> None:
        """Takes the answer to one item."""
        self._answers[index] = answer
        self._missing -= 1
        if not self._missing:
            self.future.set_result(self._answers)


class Share:
    """One item of several."""

    __slots__ = ("_answers", "_index")

    def __init__(self, answers: Answers, index: int) -> None:
        self._answers = answers
        self._index = index

    def done(self) -> bool:
        """Whether the caller has left, or another call has failed."""
        return self._answers.future.done()

    def set_result(self, result: Reply, /) -> None:
        """See `Caller`."""
        self._answers.put(self._index, result)

    def set_exception(self, exception: Exception, /) -> None:
        """See `Caller`."""
        self._answers.future.set_exception(exception)


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
        self._schedule()
        return future

    def add_all(self, items: Sequence[Item]) -> ReplyFuture:
        """The answers to several items, as a list in their order; as `add` in all else. They may travel apart."""
        answers = Answers(self._loop.create_future(), len(items))
        self._waiting.extend([(item, Share(answers, index)) for index, item in enumerate(items)])
        self._schedule()
        return answers.future

    def _schedule(self) -> None:
        if not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._flush, context=self._context)

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
        except Exception as error:
            # Whatever it is, those who wait have to hear of it: nobody else would end their wait.
            self._landed(batch, None, error)

    def _take(self) -> Iterator[Waiting]:
        """The next items that fit into one call; the first always does."""
        count = room = 0
        while self._waiting and count < MOST_ITEMS:
            item, caller = self._waiting[0]
            # What can be large, a payload, comes last in every item.
            size = len(item[-1]) if isinstance(item[-1], bytes) else 0
            if count and room + size > MOST_BYTES:
                return
            self._waiting.popleft()
            if not caller.done():
                count, room = count + 1, room + size
                yield item, caller

    def _landed(self, batch: list[Waiting], reply: Reply, error: Exception | None) -> None:
        self._in_flight -= 1
        answers = cast("Sequence[Reply]", reply) if isinstance(reply, list) else ()
        if error is None and len(answers) != len(batch):
            error = ScriptFault(self._verb, f"answered {reply!r:.80} to {len(batch)} items")
        if error is None:
            for (_, caller), answer in zip(batch, answers, strict=True):
                if not caller.done():
                    caller.set_result(answer)
        else:
            for _, caller in batch:
                if not caller.done():
                    caller.set_exception(error)
        if self._waiting and not self._scheduled:
            self._flush()
