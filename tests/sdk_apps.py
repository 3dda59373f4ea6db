"""Apps that are written with the official SDKs of the protocol that we serve, as processes of their own."""

import hashlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic, sleep

import httpx2
import pytest

from tests.redis_servers import free_port

ROOT = Path(__file__).parents[1]
EXPRESS = Path(__file__).parent / "sdk" / "express"
PATIENCE = 40.0
INSTALLING = 200.0


@dataclass
class SdkApp:
    """An app of a test.

    Args:
        id: of the app, which begins the names of its events, too.
        command: what serves it; the port comes after that.
        cwd: where it is run.
        folder: where its ledger and its output are.
        path: where it serves its functions.
    """

    id: str
    command: tuple[str, ...]
    cwd: Path
    folder: Path
    path: str = "/api/inngest"
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it serves its functions."""
        return f"http://127.0.0.1:{self.port}{self.path}"

    @property
    def ledger(self) -> Path:
        """Every body that was executed, a line each: the key of its run, and what it was."""
        return self.folder / "ledger"

    @property
    def output(self) -> Path:
        """What it has printed."""
        return self.folder / "output"

    def beside(self, id: str, path: str) -> "SdkApp":
        """Another app in the same process."""
        return SdkApp(id, self.command, self.cwd, self.folder, path, self.port, self.process)

    def start(self, environment: Mapping[str, str]) -> "SdkApp":
        """Starts it, and returns when it answers."""
        outside = {name: value for name, value in os.environ.items() if not name.startswith("INNGEST_")}
        with self.output.open("ab") as output:
            self.process = subprocess.Popen(
                (*self.command, str(self.port)),
                cwd=self.cwd,
                env=outside | {"LEDGER": str(self.ledger), **environment},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        self._until_it_answers(self.process)
        return self

    def register(self) -> httpx2.Response:
        """Has it register itself with the server it was told of; what it says about that, see `was_taken`."""
        return httpx2.put(self.url, timeout=PATIENCE)

    def stop(self) -> None:
        """Ends it at once, with all that it has started."""
        if self.process is not None and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def said(self) -> str:
        """The end of what it has printed."""
        return self.output.read_text(errors="replace")[-4000:]

    def told(self, key: str) -> list[str]:
        """What was executed for a key, in order."""
        lines = self.ledger.read_text().splitlines() if self.ledger.exists() else []
        return [line.removeprefix(f"{key} ") for line in lines if line.startswith(f"{key} ")]

    def _until_it_answers(self, process: subprocess.Popen[bytes]) -> None:
        ends = monotonic() + PATIENCE
        while not self._answers():
            assert process.poll() is None, f"{self.id} has ended: {self.said()}"
            if monotonic() > ends:
                self.stop()
                pytest.fail(f"{self.id} does not answer: {self.said()}")
            sleep(0.05)

    def _answers(self) -> bool:
        try:
            return httpx2.get(self.url, timeout=5).status_code < 500
        except httpx2.HTTPError:
            return False


def was_taken(answer: httpx2.Response) -> bool:
    """Whether an app has registered itself, by what it says about that."""
    # When it could not, the Python SDK answers 200 all the same, and the TypeScript SDK says that nothing is modified.
    return answer.status_code == 200 and "modified" in answer.json()


def python_app(id: str, folder: Path) -> SdkApp:
    """The app of `tests/sdk/ID_app.py`."""
    return SdkApp(id, (sys.executable, "-m", f"tests.sdk.{id}_app"), ROOT, folder)


def express_program(installed: Path, file: str) -> tuple[str, ...]:
    """What runs a file of `tests/sdk/express`; `installed` as for `express_app`."""
    return str(found("node")), str(installed / file)


def express_app(folder: Path, installed: Path) -> SdkApp:
    """The app of `tests/sdk/express`.

    Args:
        folder: for its ledger and its output.
        installed: what `installed_express` has given.
    """
    return SdkApp("express", express_program(installed, "app.mjs"), installed, folder)


def found(name: str) -> str | None:
    """Where a program is: on the path, or with the packages of the tests."""
    return shutil.which(name) or shutil.which(name, path=str(Path(sys.executable).parent))


def installed_express(cache: Path) -> Path:
    """A copy of `tests/sdk/express` with its packages, which are installed once for each lock file.

    Args:
        cache: a folder that outlives the tests.
    """
    if not (found("node") and found("npm")):
        if os.environ.get("STEPWELL_REQUIRE_SERVERS") == "1":
            pytest.fail("there is no Node.js here, and STEPWELL_REQUIRE_SERVERS=1 requires one")
        pytest.skip("there is no Node.js here")
    lock = (EXPRESS / "package-lock.json").read_bytes()
    folder = cache / f"express-{hashlib.sha256(lock).hexdigest()[:16]}"
    if not folder.exists():
        _install(folder)
    for file in EXPRESS.glob("*.mjs"):
        shutil.copy(file, folder)
    return folder


def _install(folder: Path) -> None:
    # Beside its place, since only what is complete may be found there.
    made = folder.with_name(f"{folder.name}-{os.getpid()}")
    made.mkdir(parents=True)
    try:
        for name in ("package.json", "package-lock.json"):
            shutil.copy(EXPRESS / name, made)
        command = [str(found("npm")), "ci", "--no-audit", "--no-fund", "--ignore-scripts"]
        ran = subprocess.run(command, cwd=made, capture_output=True, text=True, timeout=INSTALLING, check=False)
        assert ran.returncode == 0, f"npm ci: {ran.stdout[-2000:]}{ran.stderr[-2000:]}"
        if not folder.exists():
            made.rename(folder)
    finally:
        shutil.rmtree(made, ignore_errors=True)
