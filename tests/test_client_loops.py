"""Event loops end, clients are forgotten, interpreters exit: connections are closed, and nothing is said about it."""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from stepwell.client import Client, Event


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", "14")
        self.end_headers()
        self.wfile.write(b'{"ids": ["1"]}')

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        pass


class Server(ThreadingHTTPServer):
    open = 0
    served = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def process_request_thread(self, request: object, client_address: object) -> None:
        self.open += 1
        self.served += 1
        super().process_request_thread(request, client_address)  # type: ignore[arg-type]
        self.open -= 1

    def deserted(self) -> bool:
        until = time.monotonic() + 5
        while self.open and time.monotonic() < until:
            time.sleep(0.01)
        return not self.open


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


async def send(client: Client) -> list[str]:
    return await client.send(Event("a"))


def test_the_end_of_a_loop_closes_its_connections(server: Server) -> None:
    client = Client(server.url)
    for served in (1, 2):
        assert asyncio.run(send(client)) == ["1"]
        gc.collect()
        assert server.deserted()
        assert server.served == served


def test_a_client_that_is_dropped_closes_its_connections(server: Server) -> None:
    async def drop() -> bool:
        await send(Client(server.url))
        gc.collect()
        return await asyncio.to_thread(server.deserted)

    assert asyncio.run(drop())


def test_a_client_that_is_dropped_by_another_thread_does_so_too(server: Server) -> None:
    async def drop() -> bool:
        clients = [Client(server.url)]
        await send(clients[0])

        def forget() -> bool:
            clients.clear()
            gc.collect()
            return server.deserted()

        return await asyncio.to_thread(forget)

    assert asyncio.run(drop())


@pytest.fixture
def no_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("no_collector")
def test_a_client_that_is_dropped_needs_no_collector(server: Server) -> None:
    client = Client(server.url)
    client.send_sync(Event("a"))
    del client
    assert not own_threads()
    assert server.deserted()


@pytest.mark.usefixtures("no_collector")
def test_a_client_that_is_collected_in_its_own_thread_ends_it(server: Server) -> None:
    class Owner:
        def __init__(self) -> None:
            self.client = Client(server.url)
            self.myself = self

    owner = Owner()
    owner.client.send_sync(Event("a"))
    background = owner.client._background  # pyright: ignore[reportPrivateUsage]
    [thread] = own_threads()
    del owner
    assert background is not None
    background.run(collect())
    thread.join(20)
    assert not thread.is_alive()
    assert server.deserted()


async def collect() -> None:
    gc.collect()


def own_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "stepwell-client"]


def test_what_is_sent_while_a_loop_ends_still_arrives(server: Server) -> None:
    script = """
async def last():
    try:
        yield
    finally:
        print(await client.send(Event("a")))

async def main():
    global kept
    kept = last()
    await anext(kept)
    await client.send(Event("a"))

asyncio.run(main())
"""
    assert said(server, script) == ("['1']\n", "")


# Each leaves open what it opened.
FORGETFUL = {
    "a loop": "asyncio.run(send()); asyncio.run(send())",
    "a client in a generator": """
async def sending():
    async with Client(URL) as mine:
        await mine.send(Event("a"))
        yield

async def begin():
    global kept
    kept = sending()
    await anext(kept)
    await send()

asyncio.run(begin())
""",
    "a loop closed by hand": """
for _ in range(2):
    loop = asyncio.new_event_loop()
    loop.run_until_complete(send())
    loop.close()
""",
    "a client dropped by a loop that is never closed": """
del client
async def main():
    await Client(URL).send(Event("a"))
loop = asyncio.new_event_loop()
loop.run_until_complete(main())
gc.collect()
""",
    "a loop that is never closed": "asyncio.new_event_loop().run_until_complete(send())",
    "a client dropped between": """
loop = asyncio.new_event_loop()
loop.run_until_complete(send())
del client
gc.collect()
loop.close()
""",
    "a thread that is cut off": """
async def stay():
    await send()
    sent.set()
    await asyncio.sleep(60)

sent = threading.Event()
threading.Thread(target=lambda: asyncio.run(stay()), daemon=True).start()
sent.wait()
""",
    "a send at exit": "client.send_sync(Event('a')); atexit.register(lambda: client.send_sync(Event('a')))",
    "a loop left open at exit": "atexit.register(lambda: asyncio.new_event_loop().run_until_complete(send()))",
    "a loop at exit": "atexit.register(lambda: asyncio.run(send()))",
}


@pytest.mark.parametrize("script", FORGETFUL.values(), ids=FORGETFUL.keys())
def test_forgetting_to_close_is_silent(server: Server, script: str) -> None:
    assert said(server, script) == ("", "")
    assert server.deserted()
    assert server.served


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="no thread can be started when an interpreter exits")
def test_a_thread_begun_at_exit_is_silent_too(server: Server) -> None:
    script = "atexit.register(lambda: print(client.send_sync(Event('b')))); client.send_sync(Event('a'))"
    assert said(server, script) == ("['1']\n", "")


def test_ends_of_loops_leave_nothing_open_that_python_would_warn_of(server: Server) -> None:
    # That something takes long is a warning of asyncio, and depends on the machine; what is left open is an error.
    quiet = "import logging; logging.getLogger('asyncio').setLevel(logging.ERROR)\n"
    assert said(server, quiet + FORGETFUL["a loop"], "-X", "dev", "-W", "error") == ("", "")


def said(server: Server, script: str, *options: str) -> tuple[str, str]:
    start = f"""
import asyncio, atexit, gc, threading
from stepwell.client import Client, Event
URL = {server.url!r}
client = Client(URL)
async def send():
    return await client.send(Event("a"))
"""
    ran = subprocess.run(
        [sys.executable, *options, "-c", start + script], capture_output=True, text=True, timeout=60, check=False
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout, ran.stderr
