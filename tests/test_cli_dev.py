"""`stepwell dev` as a person has it: real processes, killed and interrupted."""

import asyncio
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Generator
from pathlib import Path
from time import monotonic, sleep
from typing import Any
from uuid import uuid4

import pytest

from stepwell.client import Client, Event, Retry, Run
from tests.redis_servers import free_port

pytestmark = pytest.mark.slow

PATIENCE = 40.0

APP = """
import asyncio
from pathlib import Path

from stepwell.functions import App, Context

app = App("shop")
here = Path(__file__).parent


def note(word: str) -> str:
    with (here / "ledger").open("a") as ledger:
        ledger.write(word + "\\n")
    return word


async def pack() -> str:
    note("pack")
    while not (here / "go").exists():
        await asyncio.sleep(0.02)
    return "packed"


@app.function(on="order.placed")
async def fulfil(ctx: Context) -> str:
    await ctx.step.run("charge", note, "charge")
    await ctx.step.sleep("cool-off", "300ms")
    await ctx.step.run("pack", pack)
    return "EDITION 1"
"""

PARTS = {
    "server": r"stepwell\.platform\.cli server",
    "worker": r"stepwell\.platform\.cli worker",
    "child": r"executor\.child",
    "redis": r"(redis|valkey)-server",
}


class Dev:
    """A `stepwell dev` in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.code = folder / "app.py"
        self.output = folder / "output"
        self.mark = uuid4().hex
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, *target: str) -> "Dev":
        # Other people's apps on this machine are none of its business.
        given = ["--no-discovery", *target, "--port", str(self.port)]
        words = [sys.executable, "-m", "stepwell.platform.cli", "dev", *given]
        environment = os.environ | {"MARK": self.mark, "STEPWELL_SESSION_EXPIRY": "3", "NO_COLOR": "1"}
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                words, cwd=self.folder, env=environment, stdout=output, stderr=output, start_new_session=True
            )
        return self

    def signal(self, number: int) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def ended(self) -> int:
        assert self.process is not None
        return self.process.wait(PATIENCE)

    def says(self, text: str, times: int = 1) -> str:
        """Its output, once it has that text in it so many times."""
        until(lambda: self.said().count(text) >= times, lambda: f"it never said {text!r}, but: {self.said()}")
        return self.said()

    def said(self) -> str:
        """Its output as far as whole lines go; the last may be half written."""
        return "".join(line for line in self.output.read_text(errors="replace").splitlines(True) if line.endswith("\n"))

    def ledger(self) -> list[str]:
        path = self.folder / "ledger"
        return path.read_text().split() if path.exists() else []

    def processes(self) -> dict[int, str]:
        """Every process that descends from it: id -> command."""
        found = {int(path.name): path for path in Path("/proc").iterdir() if path.name.isdigit()}
        return {number: command for number, path in found.items() if (command := self.command(path))}

    def command(self, process: Path) -> str:
        """The command of a process of ours. Redis writes over its environment, but names its socket."""
        try:
            command = (process / "cmdline").read_text().replace("\0", " ").strip()
            ours = self.mark.encode() in (process / "environ").read_bytes() or str(self.folder) in command
        except OSError:
            return ""  # it is somebody else's, or has ended
        return command if ours else ""

    def part(self, name: str) -> int:
        """The one process that is that part; one whose work another has taken over may still be about to end."""
        until(lambda: len(self.parts(name)) == 1, lambda: f"not one {name}: {self.processes()}")
        [number] = self.parts(name)
        return number

    def parts(self, name: str) -> list[int]:
        return [number for number, command in self.processes().items() if re.search(PARTS[name], command)]

    def ask(self, work: Callable[[Client], Any]) -> Any:
        """What a client gets that tries for a while."""

        async def asked() -> Any:
            async with Client(self.url, retry=Retry(tries=40, most=0.5, patience=PATIENCE)) as client:
                return await work(client)

        return asyncio.run(asked())

    def send(self) -> str:
        """Sends an order; the id of its run."""
        [event] = self.ask(lambda client: client.send(Event("order.placed", {"id": "A-1"})))
        [run] = self.ask(lambda client: client.events.runs(event))
        return str(run.id)

    def finished(self, run: str) -> Run:
        found: Run = self.ask(lambda client: client.runs.wait(run, timeout=PATIENCE))
        return found

    def let_go(self) -> None:
        (self.folder / "go").touch()


def until(holds: Callable[[], bool], why: Callable[[], str]) -> None:
    ends = monotonic() + PATIENCE
    while not holds():
        assert monotonic() < ends, why()
        sleep(0.02)


@pytest.fixture
def dev(short_path: Path) -> Generator[Dev]:
    made = Dev(short_path)
    made.code.write_text(APP)
    yield made
    for number in made.processes():
        try:
            os.kill(number, signal.SIGKILL)
        except ProcessLookupError:
            continue
    if made.process is not None:
        made.process.wait()


def test_from_one_command_to_a_finished_run_and_again_with_its_data(dev: Dev) -> None:
    said = dev.start("app.py").says("Try  curl")
    assert dev.url in said
    assert f"{dev.url}/e/dev" in said
    assert str(dev.folder / ".stepwell") in said
    assert "1 function from app.py" in said
    assert "shop/fulfil  on order.placed" in said

    [command] = re.findall(r"Try  (curl .*)", said)
    if shutil.which("curl"):
        answer = subprocess.run(command.replace("curl", "curl -s", 1), shell=True, capture_output=True, check=True)
        assert b'"ids"' in answer.stdout

    dev.let_go()
    first = dev.finished(dev.send())
    assert (first.status, first.output) == ("completed", "EDITION 1")

    dev.signal(signal.SIGINT)
    assert dev.ended() == 0
    assert dev.processes() == {}
    assert "Traceback" not in dev.said()

    dev.start("app.py").says("1 function from app.py")
    again: Run = dev.ask(lambda client: client.runs.get(first.id))
    assert again == first
    assert dev.finished(dev.send()).status == "completed"


def test_without_functions_the_address_to_try_is_its_own(dev: Dev, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STEPWELL_URL", "http://127.0.0.1:1")
    assert f"Try  curl {dev.url}/e/dev " in dev.start().says("Try  curl")


def test_an_event_that_comes_as_soon_as_there_is_an_answer_starts_its_run(dev: Dev) -> None:
    dev.start("app.py").says("Dashboard")
    dev.let_go()
    assert dev.finished(dev.send()).status == "completed"


def test_ctrl_c_lets_the_step_finish_that_executes(dev: Dev) -> None:
    dev.start("app.py").says("1 function")
    run = dev.send()
    until(lambda: "pack" in dev.ledger(), lambda: "the step never began")
    dev.signal(signal.SIGINT)
    dev.says("Stopping")
    dev.let_go()
    assert dev.ended() == 0
    dev.start("app.py")
    assert dev.finished(run).status == "completed"
    assert dev.ledger() == ["charge", "pack"]


def test_changed_code_is_loaded_and_the_run_at_work_is_finished(dev: Dev) -> None:
    dev.start("app.py").says("1 function")
    run = dev.send()
    until(lambda: "pack" in dev.ledger(), lambda: "the step never began")
    child = dev.part("child")
    dev.code.write_text(APP.replace("EDITION 1", "EDITION 2"))
    assert dev.says("app.py is loaded anew").count("Try  curl") == 1
    dev.let_go()
    assert dev.finished(run).status == "completed"
    assert dev.ledger() == ["charge", "pack"], "no step was executed twice"
    assert dev.finished(dev.send()).output == "EDITION 2"
    assert dev.part("child") != child
    dev.code.write_text(APP.replace("def fulfil", "def deliver"))
    dev.says("shop/deliver  on order.placed")


def test_code_that_cannot_be_loaded_is_said_in_a_line_and_what_ran_goes_on(dev: Dev) -> None:
    dev.let_go()
    dev.start("app.py").says("1 function")
    dev.code.write_text(APP + "\nraise RuntimeError('half written')\n")
    said = dev.says("Until that is mended, the code of before goes on serving")
    [line] = [line for line in said.splitlines() if "half written" in line]
    assert "app.py failed when it was imported: RuntimeError: half written" in line
    assert "app.py, line " in line
    assert "Traceback" not in said
    assert dev.finished(dev.send()).output == "EDITION 1"
    dev.code.write_text(APP.replace("EDITION 1", "EDITION 2"))
    dev.says("app.py is loaded anew")
    until(lambda: dev.finished(dev.send()).output == "EDITION 2", lambda: "the mended code is not served")


def test_code_that_never_could_be_loaded_is_waited_for(dev: Dev) -> None:
    dev.code.write_text("from stepwell.functions import App\napp = App('shop')\n")
    dev.start("app.py").says("app.py has no function; decorate one with")
    dev.says("Until that is mended, nothing is served")
    dev.says("Dashboard")
    dev.code.write_text(
        "from stepwell.functions import App, cron\napp = App('shop')\n"
        "app.function(on=cron('0 0 31 2 *'), id='never')(lambda ctx: None)\n"
    )
    dev.says("never comes")
    dev.code.write_text(APP)
    dev.says("1 function")
    dev.let_go()
    assert dev.finished(dev.send()).status == "completed"


@pytest.mark.parametrize("part", ["server", "worker", "child", "redis"])
def test_any_part_may_be_killed(dev: Dev, part: str) -> None:
    dev.start("app.py").says("1 function")
    run = dev.send()
    until(lambda: "pack" in dev.ledger(), lambda: "the step never began")
    killed = dev.part(part)
    os.kill(killed, signal.SIGKILL)
    until(lambda: killed not in dev.processes(), lambda: "it does not die")
    dev.let_go()
    assert dev.finished(run).status == "completed"
    assert dev.ledger().count("charge") == 1, "what was recorded is never executed again"
    assert dev.ledger().count("pack") <= 2
    assert dev.finished(dev.send()).status == "completed"
    assert dev.part(part) != killed
    if part == "child":
        assert dev.said().count("1 function") == 1, "the functions are what they were"
    dev.signal(signal.SIGTERM)
    assert dev.ended() == 0
    assert dev.processes() == {}


def test_nothing_outlives_it_when_it_is_killed_itself(dev: Dev) -> None:
    dev.start("app.py").says("1 function")
    assert len(dev.processes()) == 5
    dev.signal(signal.SIGKILL)
    dev.ended()
    until(lambda: dev.processes() == {}, lambda: f"still there: {dev.processes()}")


def test_a_second_ctrl_c_stops_at_once(dev: Dev) -> None:
    dev.start("app.py").says("1 function")
    dev.send()
    until(lambda: "pack" in dev.ledger(), lambda: "the step never began")
    dev.signal(signal.SIGINT)
    dev.says("Stopping")
    dev.signal(signal.SIGINT)
    assert dev.ended() == 130
    until(lambda: dev.processes() == {}, lambda: f"still there: {dev.processes()}")
