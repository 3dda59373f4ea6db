"""The benchmark measures what it says it does; how fast that is here and now is no matter of a test."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import orjson
import pytest

from bench import load
from bench.cpu import Cpu, children, resident, seconds_of
from bench.figure import Figure, Target, percentile
from bench.request import Request
from bench.running import USUAL
from tests.test_dashboard_browser import chromium as chromium

ROOT = Path(__file__).parents[1]
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


def measured(path: Path, *words: str) -> dict[str, Any]:
    """What the benchmark reports when it is run with these words."""
    command = [sys.executable, "bench", "--size", "tiny", "--json", str(path), *words]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    content: dict[str, Any] = orjson.loads(path.read_bytes())
    return content


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return measured(tmp_path_factory.mktemp("bench") / "report.json", "--fsync", "everysec")


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_every_section_is_measured(report: dict[str, Any]) -> None:
    assert {figure["section"] for figure in report["figures"]} == set(USUAL)
    assert report["failures"] == []


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_both_persistence_settings_are_measured_unless_one_is_chosen(tmp_path: Path) -> None:
    figures = measured(tmp_path / "report.json", "--only", "transitions")["figures"]
    assert {(figure["fsync"], figure["section"]) for figure in figures} == {
        ("everysec", "transitions"),
        ("always", "transitions"),
    }


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_pages_are_measured_in_a_browser(tmp_path: Path, chromium: str) -> None:
    found = measured(tmp_path / "report.json", "--only", "pages", "--fsync", "everysec")
    assert found["failures"] == []
    assert {"first paint of Runs, 60 runs stored", "all of the first page, compressed"} <= {
        figure["name"] for figure in found["figures"]
    }


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_no_run_is_lost_and_no_recorded_step_runs_again(report: dict[str, Any]) -> None:
    counts = {figure["name"]: figure["values"] for figure in report["figures"] if figure["section"] == "W6"}
    assert counts["  runs lost"] == [0]
    assert max(counts["  … beyond those in flight when it died"]) <= 0


@pytest.mark.slow
@pytest.mark.timeout(300)
@LINUX
def test_every_part_of_the_stack_is_seen_to_use_the_processor(report: dict[str, Any]) -> None:
    [busy] = [figure for figure in report["figures"] if "one array" in figure["name"]]
    assert all(busy["cpu"][part] > 0 for part in ("client", "server", "worker", "redis"))


@LINUX
def test_cpu_time_and_memory_of_a_process_are_known() -> None:
    with subprocess.Popen([sys.executable, "-c", "sum(range(10**6)); input()"], stdin=subprocess.PIPE) as process:
        assert process.pid in children(os.getpid())
        assert resident(process.pid) > 0
        assert process.stdin
        process.stdin.close()
    assert seconds_of([process.pid]) == 0
    assert seconds_of([os.getpid()]) > 0


def test_cpu_time_is_divided_among_units() -> None:
    assert (Cpu(3, 2, 2, 2) - Cpu(1, 1, 0, 0)).per(1_000) == Cpu(2_000, 1_000, 2_000, 2_000)


def test_the_median_decides_unless_every_round_has_to_meet_the_target() -> None:
    assert Figure("f", "ms", (1.0, 2.0, 9.0), Target("≤", 3)).passed
    assert not Figure("f", "ms", (1.0, 2.0, 9.0), Target("≤", 3, every=True)).passed
    assert not Figure("f", "runs/s", (1.0, 2.0, 9.0), Target("≥", 3)).passed
    assert Figure("f", "ms", (1.0,)).passed is None


def test_percentiles_are_values_that_were_measured() -> None:
    assert percentile([4, 1, 3, 2], 0.5) == 2
    assert percentile([4, 1, 3, 2], 0.99) == 4
    assert percentile([7], 0.5) == 7


def test_each_event_of_a_batch_has_an_id_of_its_own() -> None:
    request = Request.of("http://127.0.0.1:1", 3, "a.b", "x")
    assert [event["id"] for event in orjson.loads(request.numbered(5))] == ["x-5", "x-6", "x-7"]
    assert "id" not in orjson.loads(Request.of("http://127.0.0.1:1", 1, "a.b", "").numbered(5))


async def test_without_wrk_sockets_of_our_own_offer_the_load(monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await reader.readuntil(b"\r\n\r\n"):
            size = int(head.partition(b"Content-Length: ")[2].split(b"\r\n")[0])
            heard.append(await reader.readexactly(size))
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")

    def nowhere(name: str) -> None:
        return None

    async def quietly(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await serve(reader, writer)
        except asyncio.IncompleteReadError:
            writer.close()

    monkeypatch.setattr(shutil, "which", nowhere)
    async with await asyncio.start_server(quietly, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        done = await load.offer(Request.of(f"http://127.0.0.1:{port}", 1, "a.b", "x"), 0)
        assert (done.tool, done.failed) == ("sockets", 0)
        done = await load.offer(Request.of(f"http://127.0.0.1:{port}", 1, "a.b", "x"), 1)
    assert done.requests == len(heard) == len(set(heard))
