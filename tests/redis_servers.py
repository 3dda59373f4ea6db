"""Real Redis and Valkey servers for tests: on unix sockets or free loopback ports, ended with the test run."""

import asyncio
import atexit
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic, sleep
from typing import Any, cast

import pytest
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from stepwell.platform.errors import StoreMisconfigured
from stepwell.platform.store import launch
from stepwell.platform.store.binary import bundled

PATIENCE_SECONDS = 15.0


def program(kind: str) -> Path:
    """The server program of a kind, redis or valkey. Without one the test is skipped, or fails where it is required."""
    if kind == "redis":
        found = shutil.which("redis-server")
        if found:
            return Path(found)
    else:
        try:
            return bundled()
        except StoreMisconfigured:
            pass
    if os.environ.get("STEPWELL_REQUIRE_SERVERS") == "1":
        pytest.fail(f"there is no {kind} server here, and STEPWELL_REQUIRE_SERVERS=1 requires one")
    pytest.skip(f"there is no {kind} server here")


def wait_until(question: Callable[[], object]) -> None:
    """Returns when the answer about another process is yes; errors of Redis and the network count as no."""
    ends = monotonic() + PATIENCE_SECONDS
    while not said_yes(question):
        assert monotonic() < ends, "it did not happen"
        sleep(0.005)


def said_yes(question: Callable[[], object]) -> bool:
    """Whether the question could be asked, and the answer is yes."""
    try:
        return bool(question())
    except (RedisError, OSError):
        return False


async def until(question: Callable[[], object]) -> None:
    """The same, while the event loop runs."""
    await asyncio.to_thread(wait_until, question)


def free_port() -> int:
    """A port nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def launched() -> list[str]:
    """Words before a program that make it end with us, however we end, where the kernel can do that."""
    if sys.platform != "linux":
        return []
    return [sys.executable, "-I", "-S", launch.__file__, "signal", str(os.getpid()), "0", "0"]


@dataclass
class Server:
    """One server process.

    Args:
        program: what to run.
        folder: short path of its own.
        port: of 127.0.0.1; 0 listens on the socket only.
        options: further lines of configuration.
        extra: words behind the configuration, as `--sentinel`.
    """

    program: Path
    folder: Path
    port: int = 0
    options: dict[str, str | int] = field(default_factory=dict[str, str | int])
    extra: tuple[str, ...] = ()
    process: subprocess.Popen[bytes] | None = None

    @property
    def socket(self) -> Path:
        """Where it listens."""
        return self.folder / "s"

    @property
    def url(self) -> str:
        """Its address for a Store."""
        return f"redis://127.0.0.1:{self.port}/0" if self.port else f"unix://{self.socket}"

    def client(self) -> "Redis":
        """A plain client, to look behind the Store's back."""
        return Redis.from_url(self.url, protocol=2, retry=Retry(NoBackoff(), 0))

    def ask(self, *command: str | int) -> Any:
        """One command, by a client of its own; replies undecoded and unparsed."""
        with self.client() as client:
            client.response_callbacks.clear()
            return cast("Any", client.execute_command(*command))

    def start(self) -> "Server":
        """Starts it and waits until it answers."""
        self.folder.mkdir(parents=True, exist_ok=True)
        lines = {"port": self.port, "dir": self.folder, "unixsocket": self.socket, "save": '""', **self.options}
        conf = self.folder / "conf"
        if not self.extra or not conf.exists():
            conf.write_text("".join(f"{name} {value}\n" for name, value in lines.items()))
        with (self.folder / "log").open("ab") as log:
            words: list[str | Path] = [*launched(), self.program, conf, *self.extra]
            self.process = subprocess.Popen(words, stdout=log, stderr=log)
        atexit.register(self.kill)
        wait_until(lambda: self.ask("PING"))
        return self

    def kill(self) -> None:
        """Ends it at once, as a crash would."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None
            atexit.unregister(self.kill)


@dataclass
class Cluster:
    """Masters on loopback that share the slots evenly."""

    nodes: list[Server]

    @property
    def url(self) -> str:
        """Its address for a Store."""
        return "redis+cluster://" + ",".join(f"127.0.0.1:{node.port}" for node in self.nodes)

    def start(self) -> "Cluster":
        """Starts the nodes, hands out the slots and waits until all agree."""
        share = 16384 // len(self.nodes) + 1
        for index, node in enumerate(self.nodes):
            node.options |= {"cluster-enabled": "yes", "cluster-port": free_port(), "bind": "127.0.0.1"}
            node.start()
            node.ask("CLUSTER", "SET-CONFIG-EPOCH", index + 1)
            node.ask("CLUSTER", "ADDSLOTSRANGE", index * share, min(index * share + share, 16384) - 1)
        for node in self.nodes[1:]:
            first = self.nodes[0]
            node.ask("CLUSTER", "MEET", "127.0.0.1", first.port, first.options["cluster-port"])
        wait_until(lambda: all(b"cluster_state:ok" in node.ask("CLUSTER", "INFO") for node in self.nodes))
        return self

    def kill(self) -> None:
        """Ends every node."""
        for node in self.nodes:
            node.kill()
