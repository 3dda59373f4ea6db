"""The files of an embedded server: where they are, and what its configuration says."""

import fcntl
import hashlib
import os
import secrets
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit

from stepwell.platform.errors import StoreMisconfigured
from stepwell.platform.settings import Settings

URL_FILE = "redis.url"
LONGEST_SOCKET = 103
"""Bytes a socket's path may have everywhere: macOS has room for 104 with the final zero."""


@dataclass(frozen=True, slots=True)
class Household:
    """The files of one data directory.

    Args:
        folder: the data directory, absolute.
        socket: where the server listens.
    """

    folder: Path
    socket: Path

    @classmethod
    def of(cls, data_dir: Path) -> "Household":
        """Makes the directory when there is none. Raises `StoreMisconfigured` when that is not allowed."""
        folder = data_dir.expanduser().resolve()
        try:
            (folder / "redis").mkdir(mode=0o700, parents=True, exist_ok=True)
            return cls(folder, socket_of(folder))
        except OSError as error:
            raise StoreMisconfigured(
                f"the data directory {folder} cannot be used: {error.strerror}",
                "Set STEPWELL_DATA_DIR to a directory you may write to",
            ) from None

    @property
    def configuration(self) -> Path:
        """What the server reads; holds the password, if there is one."""
        return self.folder / "redis.conf"

    @property
    def log(self) -> Path:
        """What the server prints."""
        return self.folder / "redis.log"

    def lock(self) -> int | None:
        """A descriptor that holds the directory, or None while a supervisor or server holds it.

        The server inherits it, so the directory stays locked for as long as either of the two lives.
        """
        with readable(self.folder):
            descriptor = os.open(self.folder / "redis.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return None
        return descriptor

    def _password(self) -> str:
        """That of the server before, so that whoever knows its address can go on; else a new one."""
        return urlsplit(url_in(self.folder) or "").password or secrets.token_urlsafe(24)

    def furnish(self, settings: Settings) -> str:
        """Writes the configuration. Answers the address of the server that will be started with it."""
        password = self._password() if settings.embedded_port else ""
        write_private(self.configuration, configuration_of(self, settings, password))
        credentials = f":{password}@" if password else ""
        url = f"unix://{credentials}{quote(str(self.socket))}"
        write_private(self.folder / URL_FILE, url)
        return url


def url_in(data_dir: Path) -> str | None:
    """The address that the last server of a data directory was given. Makes no directory."""
    try:
        with readable(data_dir):
            return (data_dir.expanduser() / URL_FILE).read_text()
    except (FileNotFoundError, NotADirectoryError):
        return None


@contextmanager
def readable(folder: Path) -> Generator[None]:
    """Raises `StoreMisconfigured` when the data directory belongs to somebody else."""
    try:
        yield
    except PermissionError:
        raise StoreMisconfigured(
            f"the data directory {folder} belongs to another user",
            "Run this as its owner, or set STEPWELL_DATA_DIR or STEPWELL_REDIS_URL",
        ) from None


def socket_of(folder: Path) -> Path:
    """A path short enough for a socket: in the data directory, else in a private directory of the system."""
    near = folder / "redis.sock"
    if len(os.fsencode(near)) <= LONGEST_SOCKET:
        return near
    name = hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]
    base = Path(os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir())
    private = base / f"stepwell-{os.getuid()}-{name}"
    private.mkdir(mode=0o700, exist_ok=True)
    owner = private.lstat()
    # Anyone may make a directory in the temporary one before us, and would then own our socket.
    if owner.st_uid != os.getuid() or owner.st_mode & 0o077:
        raise StoreMisconfigured(
            f"{private}, meant for the socket of {folder}, can be entered by other users",
            "Remove it, or set STEPWELL_DATA_DIR to a shorter path",
        )
    return private / "redis.sock"


def configuration_of(home: Household, settings: Settings, password: str) -> str:
    """The configuration as text. Values are quoted, since paths may hold spaces."""
    lines = {
        "dir": home.folder / "redis",
        "unixsocket": home.socket,
        "unixsocketperm": 700,
        "port": settings.embedded_port or 0,
        "bind": "127.0.0.1",
        "daemonize": "no",
        "save": "",
        "appendonly": "yes",
        "appendfsync": settings.embedded_fsync,
        "aof-load-truncated": "yes",
        "maxmemory": settings.embedded_maxmemory or share_of_memory(),
        "maxmemory-policy": "noeviction",
        "hash-max-listpack-value": 512,
    }
    if password:
        lines["requirepass"] = password
    return "".join(f"{name} {quoted(str(value))}\n" for name, value in lines.items())


def quoted(value: str) -> str:
    """A value as redis.conf spells it."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def share_of_memory() -> int:
    """A quarter of the memory of the machine, or of the container: half would not leave room for a rewrite's copies."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    try:
        limit = Path("/sys/fs/cgroup/memory.max").read_text().strip()
    except OSError:
        limit = "max"
    if limit.isdigit():
        memory = min(memory, int(limit))
    return max(memory // 4, 64 << 20)


def write_private(path: Path, text: str) -> None:
    """Replaces a file at once, readable by its owner only."""
    draft = path.with_suffix(".new")
    with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
    draft.replace(path)
