"""The port a server listens on: taking it, and saying who has it."""

import errno
import os
import socket
from contextlib import suppress
from pathlib import Path

from stepwell.platform.cli.console import Misuse

BACKLOG = 2048
TRIED = 100
LISTENING = "0A"
"""State of a listening socket in /proc/net/tcp."""


def listen(host: str, port: int, command: str) -> socket.socket:
    """A socket that listens there; connections wait in it until somebody accepts them.

    Args:
        host: name or address.
        port: 0 for a free one.
        command: what the caller would run again, such as "stepwell dev".

    Raises `Misuse` when the port is taken or the address is none of this machine.
    """
    try:
        return _bound(host, port)
    except socket.gaierror as error:
        raise Misuse(f"--host {host} is no name or address of this machine: {error.strerror}") from None
    except OSError as error:
        raise Misuse(_refused(host, port, command, error)) from None


def _bound(host: str, port: int) -> socket.socket:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    # `localhost` is both kinds; what calls 127.0.0.1 must be heard.
    family, _, _, _, address = sorted(found, key=lambda one: one[0] != socket.AF_INET)[0]
    return socket.create_server(address[:2], family=family, backlog=BACKLOG)


def _refused(host: str, port: int, command: str, error: OSError) -> str:
    match error.errno:
        case errno.EADDRINUSE:
            return (
                f"port {port} is taken by {holder(port)}: stop that, or use `{_with_port(command, _free(host, port))}`"
            )
        case errno.EACCES:
            return f"port {port} needs more rights than this user has: use one above 1023, such as --port 8288"
        case errno.EADDRNOTAVAIL:
            return f"{host} is no address of this machine: use --host 127.0.0.1, or 0.0.0.0 for all of them"
        case _:
            return f"cannot listen on {host}, port {port}: {error.strerror}"


def _with_port(command: str, port: int) -> str:
    """What to type for the same command on another port."""
    # Started by `make dev`, nobody has typed the command itself, which may not be on the PATH.
    if command == "stepwell dev" and "MAKELEVEL" in os.environ:
        return f'make dev ARGS="--port {port}"'
    return f"{command} --port {port}"


def _free(host: str, port: int) -> int:
    for other in range(port + 1, min(port + TRIED, 65536)):
        try:
            _bound(host, other).close()
        except OSError:
            continue
        return other
    return 0


def url_of(listener: socket.socket) -> str:
    """The address to give to people; one that stands for all addresses is reached as this machine."""
    host, port = listener.getsockname()[:2]
    shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)  # noqa: S104
    return f"http://{shown}:{port}"


def holder(port: int) -> str:
    """Who listens on a port, as far as this user may know (Linux, proc(5)): command and process id."""
    sockets = {f"socket:[{inode}]" for inode in _listeners(port)}
    for process in sorted(_processes(), key=lambda path: int(path.name)) if sockets else ():
        if sockets & _open_files(process):
            return f"`{_command(process)}` (process {process.name})"
    return "another program"


def _listeners(port: int) -> list[str]:
    lines = [line.split() for name in ("tcp", "tcp6") for line in _text(Path("/proc/net") / name).splitlines()[1:]]
    return [line[9] for line in lines if line[3] == LISTENING and int(line[1].rpartition(":")[2], 16) == port]


def _processes() -> list[Path]:
    return [path for path in Path("/proc").iterdir() if path.name.isdigit()]


def _open_files(process: Path) -> set[str]:
    found: set[str] = set()
    with suppress(OSError):  # it is another user's, or has ended
        for file in (process / "fd").iterdir():
            with suppress(OSError):  # it was closed meanwhile
                found.add(str(file.readlink()))
    return found


def _command(process: Path) -> str:
    words = [Path(word).name if word.startswith("/") else word for word in _text(process / "cmdline").split("\0")]
    # `python stepwell dev` is what runs, `stepwell dev` is what was typed.
    shown = " ".join(words[words[1:2] == ["stepwell"] :]).strip()
    return shown if len(shown) <= 60 else f"{shown[:60]}…"


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
