"""The files that start, ship and check Stepwell say what they should, as far as can be seen without running them."""

from __future__ import annotations

import importlib
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from stepwell.platform.settings import Settings

ROOT = Path(__file__).parents[1]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = importlib.import_module("yaml").safe_load((ROOT / "compose.yaml").read_text("utf-8"))
    return loaded


def services(compose: dict[str, Any]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = compose["services"]
    return found


def stepwell(*arguments: str) -> subprocess.CompletedProcess[str]:
    run = "import sys; from stepwell.platform.cli import main; sys.exit(main())"
    environment = os.environ | {"COLUMNS": "200", "NO_COLOR": "1", "TERM": "dumb"}
    return subprocess.run(
        [sys.executable, "-c", run, *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_valkey_keeps_runs_on_disk_and_never_evicts_them(compose: dict[str, Any]) -> None:
    valkey = services(compose)["valkey"]
    command: list[str] = valkey["command"]
    given = dict(zip(command[1::2], command[2::2], strict=True))
    assert given["--appendonly"] == "yes"
    assert given["--maxmemory-policy"] == "noeviction"
    assert given["--maxmemory"] == "1gb"
    assert valkey["volumes"] == ["valkey:/data"]
    assert "valkey" in compose["volumes"]


def test_there_are_two_servers_and_two_workers_that_wait_for_valkey(compose: dict[str, Any]) -> None:
    for name in ("server", "worker"):
        service = services(compose)[name]
        assert service["deploy"]["replicas"] == 2
        assert service["depends_on"] == {"valkey": {"condition": "service_healthy"}}
        assert service["environment"]["STEPWELL_REDIS_URL"] == "redis://valkey:6379/0"


def test_keys_come_from_the_environment_and_ports_stay_on_this_host(compose: dict[str, Any]) -> None:
    for service in services(compose).values():
        for name, value in service.get("environment", {}).items():
            assert name.removeprefix("STEPWELL_").lower() in Settings.model_fields
            assert not name.endswith("_KEYS") or value.startswith("${" + name + ":?")
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))


@pytest.mark.parametrize("name", ["server", "worker"])
def test_commands_in_compose_exist_with_their_options(compose: dict[str, Any], name: str) -> None:
    command, *rest = services(compose)[name]["command"]
    described = stepwell(command, "--help")
    assert described.returncode == 0, described.stderr
    for option in (word for word in rest if word.startswith("--")):
        assert option in described.stdout
    for path in (word for word in rest if word.endswith(".py")):
        assert (ROOT / path).is_file()


def test_docker_compose_accepts_the_file() -> None:
    docker = shutil.which("docker")
    if docker is None or subprocess.run([docker, "compose", "version"], capture_output=True, check=False).returncode:
        pytest.skip("there is no docker compose here")
    keys = dict.fromkeys(("STEPWELL_EVENT_KEYS", "STEPWELL_API_KEYS"), "k")
    subprocess.run([docker, "compose", "config", "--quiet"], cwd=ROOT, env=os.environ | keys, check=True)


def test_the_image_runs_as_a_user_and_starts_the_server() -> None:
    lines = (ROOT / "Dockerfile").read_text("utf-8").splitlines()
    stages = [number for number, line in enumerate(lines) if line.startswith("FROM ")]
    assert len(stages) == 2
    last = lines[stages[-1] :]
    assert "USER stepwell" in last
    assert 'ENTRYPOINT ["stepwell"]' in last
    command = next(line for line in last if line.startswith("CMD "))
    assert stepwell(re.findall(r'"(.*?)"', command)[0], "--help").returncode == 0


def test_what_the_wheel_is_made_of_reaches_the_image() -> None:
    kept = {line[1:] for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines() if line.startswith("!")}
    assert {"client", "functions", "platform", "dashboard", "pyproject.toml", "README.md", "LICENSE"} == kept


def test_python_versions_are_said_once_and_alike() -> None:
    versions = [line.rpartition(" ")[2] for line in PROJECT["classifiers"] if ":: Python :: 3." in line]
    assert versions == ["3.11", "3.12", "3.13", "3.14"]
    assert PROJECT["requires-python"] == ">=" + versions[0]


def test_the_licence_is_apache_2() -> None:
    assert PROJECT["license"] == "Apache-2.0"
    text = (ROOT / "LICENSE").read_text("utf-8")
    assert "Version 2.0, January 2004" in text
    assert "END OF TERMS AND CONDITIONS" in text


@pytest.mark.parametrize("target", ["dev", "test", "check", "bench"])
def test_make_knows_the_four_commands(target: str, tmp_path: Path) -> None:
    planned = make(target, "--dry-run", VENV=str(tmp_path / "venv"))
    assert planned.returncode == 0, planned.stderr
    assert "-m venv" in planned.stdout
    assert f"| `make {target}` |" in (ROOT / "CONTRIBUTING.md").read_text("utf-8")


@pytest.mark.parametrize(
    ("script", "said"), [('[ "$1" = --version ] && echo Python 3.9.2', "Python 3.9.2"), ("exit 127", "missing")]
)
def test_make_says_when_python_is_too_old_or_missing(tmp_path: Path, script: str, said: str) -> None:
    old = tmp_path / "python3"
    old.write_text(f"#!/bin/sh\n{script}\n")
    old.chmod(0o755)
    refused = make("dev", PYTHON=str(old), VENV=str(tmp_path / "venv"))
    assert refused.returncode == 2
    assert f"Stepwell needs Python 3.11 or newer, and {old} is {said}." in refused.stderr
    assert "make PYTHON=python3.12 dev" in refused.stderr
    assert not (tmp_path / "venv").exists()


def make(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    program = shutil.which("make")
    if program is None:
        pytest.skip("there is no make here")
    given = [f"{name}={value}" for name, value in variables.items()]
    # Run from a `make test`, the inner make would take the outer one's flags.
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    return subprocess.run(
        [program, *arguments, *given],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_ci_script_is_sound_and_runs_what_the_readme_says() -> None:
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    subprocess.run(["bash", "-n", script], check=True)
    text = script.read_text("utf-8")
    assert "STEPWELL_REQUIRE_SERVERS=1" in text
    assert text.index("\nmake check\n") < text.index("\nmake test\n")
