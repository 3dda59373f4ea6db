"""`stepwell server` and `stepwell worker` as they run in production, and the commands that ask them."""

import asyncio
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Generator, Sequence
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import httpx2
import pytest

from stepwell.platform.cli import main, serving
from stepwell.platform.codec import decode
from stepwell.platform.target import BadTarget, load_apps
from tests.cli_logs import logs_restored
from tests.redis_servers import Server, free_port, wait_until

pytestmark = pytest.mark.slow

PATIENCE = 30.0

APP = """
from stepwell.functions import App, Concurrency, Context, NonRetriable

app = App("shop")

@app.function(on="order.placed", concurrency=Concurrency(5, key="event.data.customer"))
async def fulfil(ctx: Context) -> str:
    await ctx.step.run("charge", lambda: {"paid": 12})
    return "shipped"

@app.function(on="order.lost")
async def lose(ctx: Context) -> None:
    raise NonRetriable("it is gone")

@app.function(on="order.kept")
async def keep(ctx: Context) -> None:
    ctx.log.info("keeps it", extra={"shelf": 7})
    await ctx.step.run("label", lambda: print('{"event": "labelled", "level": "info"}'))
    await ctx.step.sleep("a while", "1d")
"""


class Installation:
    """A server and a worker over one Redis."""

    def __init__(self, folder: Path, redis: Server) -> None:
        self.folder = folder
        self.redis = redis
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.environment = os.environ | {"STEPWELL_REDIS_URL": redis.url, "STEPWELL_LOG": "json"}
        self.processes: list[subprocess.Popen[bytes]] = []

    def start(self, *words: str, inherited: Sequence[int] = ()) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "stepwell.platform.cli", *words]
        with (self.folder / f"{words[0]}.log").open("wb") as log:
            process = subprocess.Popen(
                command,
                cwd=self.folder,
                env=self.environment,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                pass_fds=inherited,
            )
        self.processes.append(process)
        return process

    def log(self, name: str) -> list[dict[str, Any]]:
        """Its lines; the last may be half written."""
        *whole, _ = (self.folder / f"{name}.log").read_bytes().split(b"\n")
        return [decode(line) for line in whole]

    def wait_for_log(self, name: str, event: str) -> dict[str, Any]:
        ends = monotonic() + PATIENCE
        while True:
            found = [line for line in self.log(name) if line["event"] == event]
            if found:
                return found[0]
            assert monotonic() < ends, self.log(name)
            sleep(0.02)

    def stop(self) -> None:
        for process in self.processes:
            process.kill()
            process.communicate()


@pytest.fixture
def installation(short_path: Path, own_server: Server) -> Generator[Installation]:
    (short_path / "app.py").write_text(APP)
    made = Installation(short_path, own_server)
    yield made
    made.stop()


@pytest.fixture(autouse=True)
def as_from_a_new_shell(monkeypatch: pytest.MonkeyPatch) -> Generator[None]:
    for name in ("STEPWELL_URL", "STEPWELL_EVENT_KEY", "STEPWELL_API_KEY", "STEPWELL_LOG"):
        monkeypatch.delenv(name, raising=False)
    with logs_restored():
        yield


def printed(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> str:
    """What a command prints."""
    assert main(words) == code, capsys.readouterr()
    return capsys.readouterr().out


def test_from_server_and_worker_to_every_read(
    installation: Installation, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    server = installation.start("server", "--port", str(installation.port))
    worker = installation.start("worker", "app.py", "--concurrency", "8")
    assert installation.wait_for_log("server", "server listens")["where"] == installation.url
    ready = installation.wait_for_log("worker", "worker serves")
    assert ready["functions"] == ["shop/fulfil", "shop/lose", "shop/keep"]
    monkeypatch.setenv("STEPWELL_URL", installation.url)

    sent = decode(printed(capsys, "send", "order.placed", '{"customer": "ann"}', "--id", "A-1", "--json"))
    again = decode(printed(capsys, "send", "order.placed", '{"customer": "ann"}', "--id", "A-1", "--json"))
    assert again == sent
    [run] = sent["runs"]
    assert "completed" in printed(capsys, "runs", "watch", run)
    shown = printed(capsys, "runs", "show", run)
    for text in ("shop/fulfil", "completed", '"shipped"', "charge", '{"paid":12}', "order.placed"):
        assert text in shown
    whole = decode(printed(capsys, "runs", "show", run, "--json"))
    assert (whole["id"], whole["output"], whole["steps"][0]["id"]) == (run, "shipped", "charge")

    [lost] = decode(printed(capsys, "send", "order.lost", "--json"))["runs"]
    assert "it is gone" in printed(capsys, "runs", "watch", lost, code=1)
    assert "NonRetriable: it is gone" in printed(capsys, "runs", "show", lost)

    assert "no function starts on 'nobody.cares'" in printed(capsys, "send", "nobody.cares")

    [kept] = decode(printed(capsys, "send", "order.kept", "--json"))["runs"]
    watching = installation.start("runs", "watch", kept, "--url", installation.url)
    waiting(capsys, kept)
    assert "waits for  sleep a while until" in printed(capsys, "runs", "show", kept)
    assert f"{kept} is cancelled" in printed(capsys, "runs", "cancel", kept)
    assert watching.wait(PATIENCE) == 1, "it did not complete"

    listed = printed(capsys, "runs", "list")
    assert [line.split()[0] for line in listed.splitlines()] == ["run", kept, lost, run]
    page = decode(printed(capsys, "runs", "list", "--status", "failed", "--json"))
    assert [one["id"] for one in page["data"]] == [lost]
    more = printed(capsys, "runs", "list", "--limit", "1").splitlines()[-1]
    assert lost in printed(capsys, "runs", "list", "--limit", "1", "--cursor", more.split()[-1])
    assert "no such runs" in printed(capsys, "runs", "list", "--event", "never")
    where = 'error.type == "NonRetriable" && event.name == "order.lost"'
    [found] = decode(printed(capsys, "runs", "list", "--where", where, "--since", "1h", "--json"))["data"]
    assert found["id"] == lost
    assert main(["runs", "list", "--where", "output.total > 3"]) == 0
    searched = capsys.readouterr()
    assert "no such runs" in searched.out
    assert re.fullmatch(r"searched [0-9]+ of [0-9]+\n", searched.err)
    assert "no such runs" in printed(capsys, "runs", "list", "--until", "1h", "--id", run[:8])
    assert run in printed(capsys, "runs", "list", "--event-id", whole["event_id"])
    assert "no such events" in printed(capsys, "events", "list", "--where", "event.data.total > 3")
    assert main(["runs", "list", "--where", "error.type = 1"]) == 2
    assert "column 12" in capsys.readouterr().err

    events = printed(capsys, "events", "list", "--name", "order.placed")
    assert sent["id"] in events
    assert run in printed(capsys, "events", "show", sent["id"])
    assert decode(printed(capsys, "events", "show", sent["id"], "--json"))["runs"][0]["id"] == run
    functions = printed(capsys, "functions").splitlines()
    assert functions[1].split() == ["shop/fulfil", "order.placed", "4", "5", "by", "event.data.customer", "1", "1", "-"]
    assert "is paused (hold)" in printed(capsys, "functions", "pause", "shop/keep", "--mode", "hold")
    assert "hold" in printed(capsys, "functions")
    assert "shop/keep goes on" in printed(capsys, "functions", "resume", "shop/keep")
    assert {one["id"] for one in decode(printed(capsys, "functions", "--json"))["data"]} == set(ready["functions"])

    home = httpx2.get(f"{installation.url}/")
    assert (home.status_code, "Needs attention" in home.text) == (200, True), "the dashboard is there"

    [process] = decode(printed(capsys, "workers", "--json"))["data"]
    assert (list(process["apps"]), process["functions"], process["slots"]) == (["shop"], sorted(ready["functions"]), 8)
    assert (process["host"], process["draining"]) == (socket.gethostname(), False)
    assert process["host"] in printed(capsys, "workers")
    queue = printed(capsys, "queues", "--function", "shop/fulfil").splitlines()[1]
    assert queue.split() == ["shop/fulfil", "0", "0", "0", "0", "0", "0", "1", "-"]

    monkeypatch.setenv("STEPWELL_REDIS_URL", installation.environment["STEPWELL_REDIS_URL"])
    assert "0 wrong, 1 to look after" in printed(capsys, "doctor", "--deep"), "it has no memory limit"

    for ended in (worker, server):
        ended.send_signal(signal.SIGTERM)
        assert ended.wait(PATIENCE) == 0
        if ended is worker:
            assert "no workers" in printed(capsys, "workers")


def test_what_a_run_says_is_followed_to_its_end(
    installation: Installation, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    installation.start("server", "--port", str(installation.port))
    installation.start("worker", "app.py")
    installation.wait_for_log("worker", "worker serves")
    monkeypatch.setenv("STEPWELL_URL", installation.url)
    [kept] = decode(printed(capsys, "send", "order.kept", "--json"))["runs"]
    following = installation.start("runs", "logs", kept, "--follow", "--json", "--url", installation.url)
    assert installation.wait_for_log("worker", "labelled"), "it is printed as ever"
    wait_until(lambda: len(installation.log("runs")) == 2)
    first, second = installation.log("runs")
    assert (first["message"], first["fields"], first["step"]) == ("keeps it", {"shelf": 7}, None)
    assert (second["level"], second["step"]) == ("print", "label")
    printed(capsys, "runs", "cancel", kept)
    assert following.wait(PATIENCE) == 0
    shown = printed(capsys, "runs", "logs", kept).splitlines()
    assert [line.split()[1:4] for line in shown] == [["info", "-", "keeps"], ["print", "label", '{"event":']]


def waiting(capsys: pytest.CaptureFixture[str], run: str) -> None:
    ends = monotonic() + PATIENCE
    while decode(printed(capsys, "runs", "show", run, "--json"))["status"] != "waiting":
        assert monotonic() < ends
        sleep(0.02)


def test_a_worker_whose_code_cannot_be_loaded_says_why_and_ends(installation: Installation) -> None:
    (installation.folder / "app.py").write_text("import nothing_of_this_name\n")
    worker = installation.start("worker", "app.py")
    assert worker.wait(PATIENCE) == 2
    [line] = (installation.folder / "worker.log").read_text().splitlines()
    assert line.startswith("stepwell: app.py failed when it was imported: ModuleNotFoundError: No module named")
    assert "app.py, line 1)" in line


def test_a_slip_in_a_schedule_is_met_in_the_line_where_it_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path])
    code = [
        "from stepwell.functions import App, cron",
        'app = App("shop")',
        '@app.function(on=cron("0 9 * * mon-fry"))',
    ]
    (tmp_path / "slipped.py").write_text("\n".join([*code, "async def digest(ctx): ..."]))
    with pytest.raises(BadTarget, match=r"'fry' is not between 0 and 7 .* \(.*slipped\.py, line 3\)$"):
        load_apps(str(tmp_path / "slipped.py"))
    del sys.modules["slipped"]


def test_ctrl_c_ends_a_server_and_a_worker_with_success(installation: Installation) -> None:
    server = installation.start("server", "--port", str(installation.port))
    worker = installation.start("worker", "app.py:app")
    installation.wait_for_log("server", "server listens")
    installation.wait_for_log("worker", "worker serves")
    for process in (worker, server):
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE) == 0
    assert all(line["level"] == "info" for name in ("server", "worker") for line in installation.log(name))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_server_that_waits_for_a_worker_can_be_stopped(installation: Installation, number: int) -> None:
    reading, writing = os.pipe()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        words = ("--dev", str(listener.fileno()), "--after", str(reading))
        server = installation.start("server", *words, inherited=(listener.fileno(), reading))
        wait_until(lambda: len(installation.redis.ask("CLIENT", "LIST").splitlines()) > 1)
        server.send_signal(number)
        assert server.wait(PATIENCE) == 0
        assert installation.log("server") == []
    for end in (reading, writing):
        os.close(end)


def test_a_server_that_waits_for_redis_can_be_stopped(installation: Installation) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        installation.environment["STEPWELL_REDIS_URL"] = f"redis://127.0.0.1:{silent.getsockname()[1]}"
        server = installation.start("server", "--port", str(installation.port))
        connection, _ = silent.accept()
        server.send_signal(signal.SIGTERM)
        assert server.wait(PATIENCE) == 0
        connection.close()


async def test_a_server_begins_without_a_worker_when_its_patience_has_run_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "PATIENCE", 0.01)
    ends = os.pipe()
    async with asyncio.timeout(5):
        await serving.something_in(ends[0])
    for end in ends:
        os.close(end)


def test_a_server_that_others_reach_asks_for_keys(
    installation: Installation, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    installation.environment |= {"STEPWELL_EVENT_KEYS": "e-1", "STEPWELL_API_KEYS": "a-1"}
    installation.start("server", "--host", "127.0.0.1", "--port", str(installation.port))
    installation.wait_for_log("server", "server listens")
    monkeypatch.setenv("STEPWELL_URL", installation.url)
    assert main(["runs", "list"]) == 2
    assert "this needs an API key" in capsys.readouterr().err
    monkeypatch.setenv("STEPWELL_API_KEY", "a-1")
    assert "no runs" in printed(capsys, "runs", "list")
    assert main(["send", "order.placed"]) == 2
    monkeypatch.setenv("STEPWELL_EVENT_KEY", "e-1")
    assert "event" in printed(capsys, "send", "order.placed")
