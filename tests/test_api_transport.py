"""How responses leave the server: in few writes, and whole."""

import asyncio

from stepwell.platform.api.transport import MOST, Gathering


class PlayedTransport(asyncio.Transport):
    """Keeps what is written to it."""

    def __init__(self) -> None:
        super().__init__({"peername": "nobody"})
        self.written: list[bytes] = []
        self.closed = ""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written.append(bytes(data))

    def is_closing(self) -> bool:
        return bool(self.closed)

    def close(self) -> None:
        self.closed = "closed"

    def abort(self) -> None:
        self.closed = "aborted"


async def test_what_is_written_in_one_tick_leaves_in_one_write() -> None:
    below = PlayedTransport()
    transport = Gathering(below)
    transport.write(b"status ")
    transport.write(b"body")
    assert below.written == []
    await asyncio.sleep(0)
    assert below.written == [b"status body"]
    transport.write(b"more")
    await asyncio.sleep(0)
    assert below.written == [b"status body", b"more"]


async def test_much_does_not_wait_for_the_end_of_the_tick() -> None:
    below = PlayedTransport()
    transport = Gathering(below)
    transport.write(b"x" * MOST)
    transport.write(b"y")
    assert below.written == [b"x" * MOST + b"y"]


async def test_closing_writes_what_waits_first() -> None:
    below = PlayedTransport()
    transport = Gathering(below)
    transport.write(b"last words")
    transport.close()
    assert (below.written, below.closed, transport.is_closing()) == ([b"last words"], "closed", True)
    await asyncio.sleep(0)
    assert below.written == [b"last words"]


async def test_aborting_writes_nothing_any_more() -> None:
    below = PlayedTransport()
    transport = Gathering(below)
    transport.write(b"lost")
    transport.abort()
    await asyncio.sleep(0)
    assert (below.written, below.closed) == ([], "aborted")


async def test_nothing_is_written_to_a_connection_that_has_closed_meanwhile() -> None:
    below = PlayedTransport()
    transport = Gathering(below)
    transport.write(b"too late")
    below.close()
    await asyncio.sleep(0)
    assert below.written == []


async def test_it_knows_what_the_connection_below_knows() -> None:
    assert Gathering(PlayedTransport()).get_extra_info("peername") == "nobody"
