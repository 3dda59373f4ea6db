"""The pipelined connection, against a wire that a test plays by hand."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager

import pytest
from redis.exceptions import BusyLoadingError, ResponseError

from stepwell.platform.store.connection import Argument, Connection, Limits, Reply, Unanswered, pack


class PlayedWire:
    """Takes what is sent, and answers what the test lets it."""

    def __init__(self, refuse: str = "") -> None:
        self.refuse = refuse
        self.writes: list[bytes] = []
        self.written = asyncio.Event()
        self.connected = asyncio.Event()
        self.replies: asyncio.Queue[Reply] = asyncio.Queue()
        self.closed = False

    async def connect(self) -> None:
        if self.refuse:
            raise OSError(self.refuse)
        self.connected.set()

    async def disconnect(self, nowait: bool = False) -> None:
        self.closed = True

    async def send_command(self, *args: Argument) -> None:
        await self.send_packed_command([pack(args)])

    async def send_packed_command(self, command: Sequence[bytes], check_health: bool = True) -> None:
        self.writes.append(b"".join(command))
        self.written.set()

    async def read_response(
        self, *, disable_decoding: bool = False, timeout: float | None = None, disconnect_on_error: bool = True
    ) -> Reply:
        reply = await self.replies.get()
        if isinstance(reply, Exception):
            raise reply
        return reply


@asynccontextmanager
async def connected(*wires: PlayedWire, limits: Limits | None = None) -> AsyncGenerator[Connection]:
    """A connection over these wires, one after the other, once the first is set up."""
    ready = deque(wires)
    connection = Connection("here", ready.popleft, limits or Limits())
    await wires[0].connected.wait()
    try:
        yield connection
    finally:
        await connection.aclose()


async def test_what_one_tick_asks_for_is_written_at_once_and_answered_in_order() -> None:
    wire = PlayedWire()
    async with connected(wire) as connection:
        asked = [connection.submit(b"%d" % number) for number in range(5)]
        await wire.written.wait()
        for number in range(5):
            wire.replies.put_nowait(number)
        assert await asyncio.gather(*asked) == [0, 1, 2, 3, 4]
        assert wire.writes == [b"01234"]


async def test_a_caller_who_leaves_takes_no_reply_from_others() -> None:
    wire = PlayedWire()
    async with connected(wire) as connection:
        asked = [connection.submit(b"x") for _ in range(3)]
        await wire.written.wait()
        asked[1].cancel()
        for reply in ("first", "nobody's", "third"):
            wire.replies.put_nowait(reply)
        assert await asked[0] == "first"
        assert await asked[2] == "third"


async def test_an_error_reply_goes_to_its_caller_only() -> None:
    wire = PlayedWire()
    async with connected(wire) as connection:
        asked = [connection.submit(b"x") for _ in range(3)]
        for reply in (ResponseError("no"), BusyLoadingError("loading"), "yes"):
            wire.replies.put_nowait(reply)
        answers = await asyncio.gather(*asked, return_exceptions=True)
        assert [type(answer) for answer in answers] == [ResponseError, BusyLoadingError, str]


async def test_callers_beyond_the_limit_of_commands_wait_for_room() -> None:
    wire = PlayedWire()
    async with connected(wire, limits=Limits(commands=2)) as connection:
        asked = [connection.submit(b"%d" % number) for number in range(4)]
        asked[2].cancel()
        await wire.written.wait()
        assert wire.writes == [b"01"]
        wire.written.clear()
        wire.replies.put_nowait("a")
        assert await asked[0] == "a"
        await wire.written.wait()
        assert wire.writes == [b"01", b"3"], "a caller who left while waiting is not sent"
        wire.replies.put_nowait("b")
        wire.replies.put_nowait("c")
        assert [await asked[1], await asked[3]] == ["b", "c"]


async def test_callers_beyond_the_limit_of_bytes_wait_for_room_and_one_large_command_passes() -> None:
    wire = PlayedWire()
    async with connected(wire, limits=Limits(bytes=10)) as connection:
        large, small = connection.submit(b"x" * 100), connection.submit(b"y")
        await wire.written.wait()
        assert wire.writes == [b"x" * 100]
        wire.replies.put_nowait("large")
        wire.replies.put_nowait("small")
        assert [await large, await small] == ["large", "small"]


async def test_who_waits_for_room_longer_than_allowed_hears_why() -> None:
    wire = PlayedWire()
    async with connected(wire, limits=Limits(deadline=0.02, patience=0.01, commands=1)) as connection:
        first, second = connection.submit(b"x"), connection.submit(b"y")
        with pytest.raises(Unanswered, match="too many calls wait") as caught:
            await second
        assert not caught.value.sent
        first.cancel()


async def test_a_broken_connection_fails_what_was_sent_and_is_set_up_again() -> None:
    first, second = PlayedWire(), PlayedWire()
    async with connected(first, second) as connection:
        lost = connection.submit(b"x")
        await first.written.wait()
        first.replies.put_nowait(ConnectionError("cut"))
        with pytest.raises(Unanswered, match="cut") as caught:
            await lost
        assert caught.value.sent
        waiting = connection.submit(b"y")
        await second.written.wait()
        second.replies.put_nowait("answer")
        assert await waiting == "answer"
        assert first.closed
        assert second.writes == [b"y"]


async def test_a_server_that_falls_silent_is_given_up() -> None:
    first, second = PlayedWire(), PlayedWire()
    async with connected(first, second, limits=Limits(deadline=0.02)) as connection:
        with pytest.raises(Unanswered, match=r"no answer for 0\.02 s"):
            await connection.submit(b"x")
        await second.connected.wait()
        assert first.closed


async def test_who_waits_for_a_server_out_of_reach_is_sent_away_to_look_elsewhere() -> None:
    wires = deque([PlayedWire("refused"), PlayedWire()])
    last = wires[-1]
    connection = Connection("here", wires.popleft, Limits())
    waiting = connection.submit(b"x")
    with pytest.raises(Unanswered, match="refused") as caught:
        await waiting
    assert not caught.value.sent
    await last.connected.wait()
    await connection.aclose()


async def test_a_reply_nobody_asked_for_breaks_the_connection() -> None:
    first, second = PlayedWire(), PlayedWire()
    async with connected(first, second):
        first.replies.put_nowait("stray")
        await second.connected.wait()
        assert first.closed


async def test_closing_ends_every_call() -> None:
    wire = PlayedWire()
    async with connected(wire, limits=Limits(commands=1)) as connection:
        sent, parked = connection.submit(b"x"), connection.submit(b"y")
        await wire.written.wait()
    late = connection.submit(b"z")
    for call in (sent, parked, late):
        with pytest.raises(Unanswered, match="closed"):
            await call
    assert wire.closed
