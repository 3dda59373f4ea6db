"""Offers one kind of request as fast as a server takes it: by wrk where it is installed, else by sockets of our own."""

import asyncio
import resource
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from time import perf_counter

from bench.cpu import Cpu
from bench.figure import BenchFailed
from bench.request import PATH, Request

SINGLES, BATCHES = 64, 8
"""Connections for requests of one event, and of many: of those each waits for all its events."""


@dataclass(frozen=True, slots=True)
class Load:
    """What was offered.

    Args:
        tool: by which.
        requests: that were answered.
        failed: that were refused or not answered.
        seconds: for which it was offered.
        cpu: seconds of CPU of the tool when it was a process of its own, else None.
    """

    tool: str
    requests: int
    failed: int
    seconds: float
    cpu: float | None = None

    def own(self, used: Cpu) -> Cpu:
        """What was used, with the tool as the client."""
        return used if self.cpu is None else replace(used, client=self.cpu)


async def offer(request: Request, seconds: int) -> Load:
    """Offers it for so long."""
    wrk, connections = shutil.which("wrk"), SINGLES if request.batch == 1 else BATCHES
    if wrk is None:
        return await _by_sockets(request, seconds, connections)
    return await _by_wrk(wrk, request, seconds, connections)


async def _by_wrk(wrk: str, request: Request, seconds: int, connections: int) -> Load:
    with tempfile.TemporaryDirectory(prefix="swb") as folder:
        script = Path(folder) / "request.lua"
        script.write_text(request.lua())
        before = _children_cpu()
        words = ["-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s", "-s", str(script), request.url]
        process = await asyncio.create_subprocess_exec(
            wrk, *words, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
        )
        output = (await process.communicate())[0].decode()
    _, marked, said = output.rpartition("\nmeasured ")
    if not marked:
        raise BenchFailed(f"wrk did not measure anything: {output.strip()[-300:]}")
    requests, us, failed = map(int, said.split())
    return Load("wrk", requests - failed, failed, us / 1e6, _children_cpu() - before)


def _children_cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


async def _by_sockets(request: Request, seconds: int, connections: int) -> Load:
    begun = perf_counter()
    ends = begun + seconds
    counts = await asyncio.gather(*(_one(request, ends, count(index, connections)) for index in range(connections)))
    return Load("sockets", sum(counts), 0, perf_counter() - begun)


async def _one(request: Request, ends: float, serials: Iterator[int]) -> int:
    """Sends by one connection until it is time; answers how many requests were answered."""
    reader, writer = await asyncio.open_connection(request.host, request.port)
    answered = 0
    try:
        while perf_counter() < ends:
            body = request.numbered(next(serials) * request.batch)
            head = f"POST {PATH} HTTP/1.1\r\nHost: {request.host}\r\nContent-Type: application/json\r\n"
            writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
            await _answer(reader)
            answered += 1
    finally:
        writer.close()
        await writer.wait_closed()
    return answered


async def _answer(reader: asyncio.StreamReader) -> None:
    """Reads one response. Raises `BenchFailed` unless it says 200."""
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    length = int(head.partition(b"content-length:")[2].split(b"\r\n", 1)[0])
    body = await reader.readexactly(length)
    if not head.startswith(b"http/1.1 200"):
        raise BenchFailed(f"a request was refused: {body.decode(errors='replace')[:200]}")
