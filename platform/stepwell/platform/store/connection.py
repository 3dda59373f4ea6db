"""One pipelined connection to one Redis server, shared by every task of the process.

redis-py sets the connection up (TLS, authentication, protocol) and parses; commands of concurrent tasks are written
together, once per tick of the event loop, and answered in order.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias, cast

import hiredis
import structlog
from redis.backoff import ExponentialWithJitterBackoff
from redis.exceptions import AuthenticationError, BusyLoadingError, RedisError, ResponseError

from stepwell.platform.settings import Settings

Argument: TypeAlias = bytes | str | int | float
"""One word of a command."""
Reply: TypeAlias = Any
"""What Redis answered, undecoded: bytes, int, None, or a list of those."""
ReplyFuture: TypeAlias = "asyncio.Future[Reply]"

pack = cast("Callable[[tuple[Argument, ...]], bytes]", hiredis.pack_command)
"""A command as bytes of the protocol. The stub of hiredis knows commands of one word only."""

BACKOFF = ExponentialWithJitterBackoff(base=0.02, cap=1.0)
# redis-py lets these two error replies look like broken connections.
ERROR_REPLIES = (ResponseError, BusyLoadingError, AuthenticationError)
BROKEN = (RedisError, OSError, TimeoutError, asyncio.IncompleteReadError)


class Wire(Protocol):
    """What is used of a connection of redis-py."""

    async def connect(self) -> None:
        """Sets the connection up, authentication and all."""
        ...

    async def disconnect(self, nowait: bool = False) -> None:
        """Closes it, by default when the other side has read everything."""
        ...

    async def send_command(self, *args: Argument) -> None:
        """Packs and sends a command."""
        ...

    async def send_packed_command(self, command: Sequence[bytes], check_health: bool = True) -> None:
        """Sends commands; returns when the socket's buffer has room for more."""
        ...

    async def read_response(
        self, *, disable_decoding: bool = False, timeout: float | None = None, disconnect_on_error: bool = True
    ) -> Reply:
        """The next reply, None after `timeout` seconds. Raises error replies."""
        ...


Dial: TypeAlias = Callable[[], Wire]
"""Makes a connection of redis-py that is not connected yet."""


class Unanswered(Exception):
    """The connection broke, or the wait was over, before the reply came.

    Args:
        reason: which of them, and why.
        sent: whether the server may have carried the command out.
    """

    def __init__(self, reason: str, *, sent: bool) -> None:
        super().__init__(reason)
        self.reason = reason
        self.sent = sent


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of a connection.

    Args:
        deadline: seconds the oldest command may stay unanswered before the connection is dropped.
        patience: seconds a call may wait for a connection and for room in it.
        commands: unanswered commands beyond which callers wait.
        bytes: unanswered bytes beyond which callers wait.
    """

    deadline: float = 5.0
    patience: float = 15.0
    commands: int = 4096
    bytes: int = 8 << 20

    @classmethod
    def of(cls, settings: Settings) -> "Limits":
        """The limits an operator has set."""
        return cls(
            settings.redis_deadline,
            settings.redis_patience,
            settings.redis_commands_in_flight,
            settings.redis_bytes_in_flight,
        )


class Connection:
    """A connection that is set up again whenever it breaks. Made and used within one running event loop.

    Args:
        where: address for messages, without its password.
        dial: makes a redis-py connection that is not connected yet.
        limits: when callers wait, and for how long.
    """

    def __init__(self, where: str, dial: Dial, limits: Limits) -> None:
        self.where = where
        self._dial = dial
        self._limits = limits
        self._loop = asyncio.get_running_loop()
        self._unanswered: deque[tuple[ReplyFuture, int, float]] = deque()
        self._bytes = 0
        self._parked: deque[tuple[ReplyFuture, bytes, float]] = deque()
        self._outgoing: list[bytes] = []
        self._wake = asyncio.Event()
        self._open = False
        self._closed = False
        self._known = False  # whether it was ever set up
        self._reason = "not connected yet"
        self._broken: asyncio.Future[None] = self._loop.create_future()
        self._timer = self._loop.call_later(limits.deadline / 4, self._watch)
        self._task = self._loop.create_task(self._run())

    def submit(self, packed: bytes, expires: float | None = None) -> ReplyFuture:
        """Sends a packed command; cancelling the future gives up the reply and nothing else.

        Args:
            packed: the command as bytes of the protocol.
            expires: loop time until which it may wait to be sent; `None` allows it the patience of the limits.

        The future raises `Unanswered`, or the error reply of Redis as an exception of redis-py.
        """
        future: ReplyFuture = self._loop.create_future()
        now = self._loop.time()
        if self._parked or not self._has_room():
            self._park(future, packed, expires or now + self._limits.patience)
        else:
            self._send(future, packed, now)
        return future

    def drop(self, reason: str) -> None:
        """Breaks the connection, so that it is set up again, to whichever server then has the address."""
        self._reason = reason
        if not self._broken.done():
            self._broken.set_result(None)

    async def aclose(self) -> None:
        """Closes it for good; calls that still wait raise `Unanswered`."""
        self._closed = True
        self._reason = "the connection was closed"
        self._timer.cancel()
        self._task.cancel()
        await asyncio.wait([self._task])
        self._turn_away()

    def _has_room(self) -> bool:
        return self._open and len(self._unanswered) < self._limits.commands and self._bytes < self._limits.bytes

    def _send(self, future: ReplyFuture, packed: bytes, now: float) -> None:
        self._unanswered.append((future, len(packed), now))
        self._bytes += len(packed)
        if not self._outgoing:
            self._wake.set()
        self._outgoing.append(packed)

    def _park(self, future: ReplyFuture, packed: bytes, expires: float) -> None:
        if self._closed:
            fail(future, self._reason, sent=False)
        else:
            self._parked.append((future, packed, expires))

    def _unpark(self) -> None:
        now = self._loop.time()
        while self._parked and self._has_room():
            future, packed, _ = self._parked.popleft()
            if not future.done():
                self._send(future, packed, now)

    def _watch(self) -> None:
        now = self._loop.time()
        if self._unanswered and now - self._unanswered[0][2] > self._limits.deadline:
            self.drop(f"no answer for {self._limits.deadline:g} s")
        self._expire(now)
        self._timer = self._loop.call_later(self._limits.deadline / 4, self._watch)

    def _expire(self, now: float) -> None:
        waiting = self._parked
        self._parked = deque(call for call in waiting if call[2] > now and not call[0].done())
        for future, _, expires in waiting:
            if expires <= now:
                fail(future, "too many calls wait for answers" if self._open else self._reason, sent=False)

    def _turn_away(self, error: RedisError | None = None) -> None:
        # Whoever waits may find the partition on another server by now, so nobody is kept while this one is away.
        while self._parked:
            future = self._parked.popleft()[0]
            if error is None:
                fail(future, self._reason, sent=False)
            elif not future.done():
                future.set_exception(error)

    async def _run(self) -> None:
        failures = 0
        while True:
            wire = self._dial()
            try:
                if await self._connect(wire, failures) and await self._serve(wire):
                    failures = 0
                    continue
            finally:
                await hang_up(wire)
            failures += 1
            await asyncio.sleep(BACKOFF.compute(failures))

    async def _connect(self, wire: Wire, failures: int) -> bool:
        log = structlog.get_logger("stepwell.store")
        try:
            async with asyncio.timeout(self._limits.deadline):
                await wire.connect()
        except BROKEN as error:
            self._reason = str(error) or f"no connection within {self._limits.deadline:g} s"
            if failures == 0:
                log.warning("redis is out of reach", where=self.where, reason=self._reason)
            # At the first connection a refused password is a mistake in the settings, later it may be a rotation.
            self._turn_away(None if self._known else refusal_in(error))
            return False
        self._known = True
        if failures:
            log.info("redis is in reach again", where=self.where)
        return True

    async def _serve(self, wire: Wire) -> bool:
        """Carries commands until the connection breaks. Answers whether any reply came."""
        self._broken = self._loop.create_future()
        served: list[bool] = []
        reader = self._loop.create_task(self._read(wire, served))
        writer = self._loop.create_task(self._write(wire))
        self._open = True
        self._unpark()
        try:
            await asyncio.wait({reader, writer, self._broken}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._open = False
            await self._end(reader, writer)
        return bool(served)

    async def _end(self, *tasks: asyncio.Task[None]) -> None:
        for task in tasks:
            task.cancel()
        for result in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(result, Exception):
                self._reason = str(result) or type(result).__name__
        self._outgoing.clear()
        self._bytes = 0
        while self._unanswered:
            fail(self._unanswered.popleft()[0], self._reason, sent=True)

    async def _write(self, wire: Wire) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            batch, self._outgoing = self._outgoing, []
            await wire.send_packed_command(batch, check_health=False)

    async def _read(self, wire: Wire, served: list[bool]) -> None:
        read, unanswered = wire.read_response, self._unanswered
        reply: Reply = None
        while True:
            error: RedisError | None = None
            try:
                reply = await read(disable_decoding=True, disconnect_on_error=False)
            except ERROR_REPLIES as refusal:
                error = refusal
            if not unanswered:
                raise ConnectionError("a reply came that nobody had asked for")
            future, size, _ = unanswered.popleft()
            self._bytes -= size
            if self._parked:
                self._unpark()
            if not served:
                served.append(True)
            if future.done():
                continue
            if error is None:
                future.set_result(reply)
            else:
                future.set_exception(error)


def fail(future: ReplyFuture, reason: str, *, sent: bool) -> None:
    """Ends a call that has no answer, unless its caller has left."""
    if not future.done():
        future.set_exception(Unanswered(reason, sent=sent))


def refusal_in(error: BaseException) -> AuthenticationError | None:
    """The refused password in a failure to connect; redis-py wraps it when it connects to unix sockets."""
    found = error if isinstance(error, AuthenticationError) else error.__cause__
    return found if isinstance(found, AuthenticationError) else None


async def hang_up(wire: Wire) -> None:
    """Closes a redis-py connection without waiting for the other side."""
    with contextlib.suppress(*BROKEN):
        await wire.disconnect(nowait=True)
