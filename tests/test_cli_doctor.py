"""`stepwell doctor` says what is wrong, what to do, and ends with a code that a script can use."""

from collections.abc import Generator
from typing import Any

import pytest

from stepwell.platform.cli import main
from stepwell.platform.codec import decode
from tests.cli_logs import logs_restored
from tests.redis_servers import Server


@pytest.fixture(autouse=True)
def as_from_a_new_shell(monkeypatch: pytest.MonkeyPatch) -> Generator[None]:
    for name in ("STEPWELL_URL", "STEPWELL_EVENT_KEY", "STEPWELL_API_KEY", "STEPWELL_LOG"):
        monkeypatch.delenv(name, raising=False)
    with logs_restored():
        yield


def test_a_fit_server_is_well(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, redis_server: Server
) -> None:
    monkeypatch.setenv("STEPWELL_REDIS_URL", redis_server.url)
    assert main(["doctor"]) == 0
    printed = capsys.readouterr().out
    assert "append-only is on" in printed
    assert "Start `stepwell server` or `stepwell dev`" in printed, "nobody keeps time here"


def test_as_json(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, redis_server: Server) -> None:
    monkeypatch.setenv("STEPWELL_REDIS_URL", redis_server.url)
    assert main(["doctor", "--deep", "--json"]) == 0
    answer: dict[str, Any] = decode(capsys.readouterr().out)
    assert answer["healthy"] is True
    assert {"level", "about", "text", "mend"} == set(answer["findings"][0])


@pytest.mark.parametrize(
    ("setting", "value", "said"),
    [("maxmemory-policy", "allkeys-lru", "may evict keys"), ("appendonly", "no", "append-only is off")],
)
def test_a_server_that_may_lose_runs_is_wrong(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    own_server: Server,
    setting: str,
    value: str,
    said: str,
) -> None:
    own_server.ask("CONFIG", "SET", setting, value)
    monkeypatch.setenv("STEPWELL_REDIS_URL", own_server.url)
    assert main(["doctor"]) == 1
    printed = capsys.readouterr().out
    assert said in printed
    assert f"Set `{setting}" in printed


def test_a_server_that_is_not_there_is_wrong(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STEPWELL_REDIS_URL", "redis://127.0.0.1:1/0")
    monkeypatch.setenv("STEPWELL_REDIS_PATIENCE", "0.1")
    assert main(["doctor"]) == 1
    assert "Start it, or correct STEPWELL_REDIS_URL" in capsys.readouterr().out
