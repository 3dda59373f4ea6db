"""What the command line says to those who use it wrongly, and with which exit code it ends."""

import socket
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path

import pytest

from stepwell.platform.cli import main
from stepwell.platform.cli.port import holder
from stepwell.platform.cli.values import payload
from tests.cli_logs import logs_restored
from tests.redis_servers import free_port

NOWHERE = "http://127.0.0.1:1"


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Generator[None]:
    for name in ("STEPWELL_URL", "STEPWELL_EVENT_KEY", "STEPWELL_API_KEY", "STEPWELL_LOG", "MAKELEVEL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    with logs_restored():
        yield


@pytest.fixture
def taken() -> Generator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def refused(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """The one line that a wrong use gets."""
    assert main(words) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    [line] = printed.err.splitlines()
    return line


def test_the_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("stepwell 0.")


def test_a_process_of_ours_loads_nothing_for_tracebacks_in_colour() -> None:
    script = "import sys; from stepwell.platform.cli import main; main(); sys.exit('rich.console' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script, "--version"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("stepwell 0.")


def test_without_a_command_the_commands_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    listed = capsys.readouterr().out
    for command in ("dev", "server", "worker", "send", "runs", "events", "schedules", "functions", "doctor", "keys"):
        assert f"  {command} " in listed


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["bogus"], "stepwell: No such command 'bogus'. See `stepwell --help`."),
        (["runs"], "stepwell runs: Missing command. See `stepwell runs --help`."),
        (["send"], "stepwell send: Missing argument 'name'. See `stepwell send --help`."),
        (["server", "--prot", "1"], "stepwell server: No such option: --prot"),
        (["worker", "app.py", "--concurrency", "0"], "stepwell worker: Invalid value for '--concurrency'"),
        (["runs", "list", "--status", "done"], "'done' is not one of 'queued', 'running'"),
        (["send", "a", "{x}"], "stepwell: the data is not JSON"),
        (["send", "a", "[1]"], 'stepwell: the data is an object, such as \'{"id": "A-1"}\', not [1]'),
        (["send", "a" * 513], "stepwell: an event's name has 1 to 512 bytes, not 513"),
        (
            ["runs", "list", "--since", "later"],
            "stepwell: 'later' is neither how long ago, as in 90m or 7d, nor a time",
        ),
        (["runs", "list", "--url", "here"], "stepwell: 'here' is no server address"),
        (["worker", "app.py"], "stepwell: there is no file 'app.py' in "),
        (["dev", "app.py"], "stepwell: there is no file 'app.py' in "),
        (["worker", "kiosk:app"], "stepwell: there is no module 'kiosk' in "),
        (["worker", ".."], "stepwell: '..' is a folder; give the file that has the App, such as "),
        (["worker", ".:app"], "stepwell: '.' is a folder; give the file that has the App, such as app.py"),
        (["worker", ".x"], "stepwell: '.x' is no target; write module:app or path/to/file.py"),
        (["dev", "--host", "0.0.0.0"], "STEPWELL_EVENT_KEYS and STEPWELL_API_KEYS must be set"),
        (["server", "--host", "0.0.0.0"], "STEPWELL_EVENT_KEYS and STEPWELL_API_KEYS must be set"),
        (["keys", "--name", "a"], "stepwell: --name and --scopes go together"),
        (["keys", "--name", "a", "--scopes", "write"], "its scopes are one of read, operate, admin"),
        (["server", "--port", "0"], "STEPWELL_REDIS_URL is not set. Start `stepwell dev` there, or"),
    ],
)
def test_wrong_use_gets_one_line(capsys: pytest.CaptureFixture[str], words: list[str], line: str) -> None:
    assert line in refused(capsys, *words)


@pytest.mark.parametrize(
    "words",
    [["send", "a"], ["runs", "list"], ["runs", "show", "x"], ["runs", "watch"], ["events", "list"], ["functions"]],
)
def test_without_a_server_it_is_said_at_once_which_was_asked(
    capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    line = refused(capsys, *words, "--url", NOWHERE)
    assert f"no answer from {NOWHERE}" in line
    assert "Start a server with `stepwell dev`" in line


def test_a_file_that_was_meant_as_a_module_is_recognised(capsys: pytest.CaptureFixture[str]) -> None:
    Path("shop_of_mine.py").touch()
    Path("data").mkdir()
    assert "there is no module 'shop_of_min'" in refused(capsys, "worker", "shop_of_min")


def test_a_path_that_is_no_python_file_is_recognised(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    Path("notes.txt").touch()
    Path("kiosk").mkdir()
    not_python = "'notes.txt' is not a Python file; give one, such as app.py, or a module, such as shop:app"
    assert not_python in refused(capsys, "dev", "notes.txt")
    assert "'kiosk' is a folder; give the file that has the App, such as kiosk/app.py" in refused(
        capsys, "dev", "kiosk"
    )
    Path("kiosk/orders.py").touch()
    folder = str(tmp_path / "kiosk")
    assert f"'{folder}' is a folder; give the file that has the App, such as {folder}/orders.py" in refused(
        capsys, "dev", folder
    )
    assert "'./kiosk/' is a folder; give the file that has the App, such as kiosk/orders.py" in refused(
        capsys, "worker", "./kiosk/"
    )


@pytest.mark.parametrize("id", ["fulfil", "shop/", "/fulfil"])
def test_a_function_is_named_with_its_app(capsys: pytest.CaptureFixture[str], id: str) -> None:
    said = f"stepwell: {id!r} is no id of a function: write APP/FUNCTION; `stepwell functions` lists those there are"
    assert [refused(capsys, "functions", what, id) for what in ("pause", "resume")] == [said, said]


def test_a_setting_that_cannot_be_used_is_named(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STEPWELL_PARTITIONS", "many")
    assert "STEPWELL_PARTITIONS is 'many': " in refused(capsys, "server")


@pytest.mark.parametrize("words", [["dev", "--port", "0"], ["server", "--port", "0"]])
def test_a_redis_that_is_not_there_is_said_once(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    monkeypatch.setenv("STEPWELL_REDIS_URL", "redis://127.0.0.1:1/0")
    monkeypatch.setenv("STEPWELL_REDIS_PATIENCE", "0.1")
    assert main(words) == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("stepwell: Redis at redis://127.0.0.1:1/0 is unavailable: ")


@pytest.mark.parametrize("command", ["dev", "server"])
def test_a_taken_port_is_said_with_its_holder_and_a_free_one(
    capsys: pytest.CaptureFixture[str], taken: int, command: str
) -> None:
    line = refused(capsys, command, "--port", str(taken))
    assert f"port {taken} is taken by {holder(taken)}: stop that, or use `stepwell {command} --port " in line
    other = int(line.rpartition(" ")[2].rstrip("`"))
    assert other > taken
    assert not Path(".stepwell/redis.url").exists(), "nothing was started"


def test_under_make_the_port_is_given_to_make(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, taken: int
) -> None:
    monkeypatch.setenv("MAKELEVEL", "1")
    assert 'or use `make dev ARGS="--port ' in refused(capsys, "dev", "--port", str(taken))
    assert "or use `stepwell server --port " in refused(capsys, "server", "--port", str(taken))


def test_an_address_of_another_machine_is_refused(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STEPWELL_EVENT_KEYS", "e")
    monkeypatch.setenv("STEPWELL_API_KEYS", "a")
    assert "192.0.2.1 is no address of this machine" in refused(capsys, "server", "--host", "192.0.2.1")
    assert "--host no.such.invalid is no name or address" in refused(capsys, "server", "--host", "no.such.invalid")


def test_the_holder_of_a_port_is_found(taken: int) -> None:
    assert "(process " in holder(taken)
    assert holder(free_port()) == "another program"


def test_a_key_that_means_nothing_is_refused_at_start_and_not_shown(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STEPWELL_EVENT_KEYS", "e")
    monkeypatch.setenv("STEPWELL_API_KEYS", "plain,oncall:write:s3cret")
    for words in (["server", "--host", "0.0.0.0"], ["dev"]):
        line = refused(capsys, *words)
        assert line.startswith("stepwell: STEPWELL_API_KEYS: key 2 is NAME:SCOPES:SECRET; its scopes are")
        assert "s3cret" not in line


def test_a_key_with_scopes_is_made_as_the_setting_takes_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["keys", "--name", "wallboard", "--scopes", "read+no-payloads"]) == 0
    assert "export STEPWELL_API_KEYS=wallboard:read+no-payloads:api_" in capsys.readouterr().out


def test_what_a_key_may_not_see_is_not_taken_for_null() -> None:
    assert payload(None, hidden=False) == "null"
    assert payload(None, hidden=True) == "(hidden from this API key)"


def test_keys_are_made_anew_each_time_as_a_shell_takes_them(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["keys"]) == 0
    first = capsys.readouterr().out
    assert main(["keys"]) == 0
    assert capsys.readouterr().out != first
    assert [line.partition("=")[0] for line in first.splitlines()] == [
        "export STEPWELL_EVENT_KEYS",
        "export STEPWELL_API_KEYS",
    ]
