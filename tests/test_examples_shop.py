"""The example shop: each order of the day ends as its story says, and the ledger counts every side effect."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack, closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from examples.feed import ending, feed, read
from examples.ledger import Ledger
from stepwell.client import Client, Event, Run
from stepwell.functions import App
from stepwell.platform.target import load_apps
from stepwell.platform.testing import TestPlatform, TestRun

EXAMPLES = Path(__file__).parents[1] / "examples"
DECLINED, REFUNDED, SHIPPED = 18, 12, 270


@pytest.fixture
def ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ledger:
    path = tmp_path / "ledger.sqlite"
    monkeypatch.setenv("SHOP_LEDGER", str(path))
    return Ledger(path)


@pytest.fixture
def shop(monkeypatch: pytest.MonkeyPatch) -> App:
    """The shop as a worker loads it."""
    monkeypatch.setattr(sys, "path", sys.path.copy())
    for name in ("shop", "ledger"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    [app] = load_apps(str(EXAMPLES / "shop.py"))
    return app


def placed(id: str, **data: Any) -> Event:
    return Event("order.placed", {"id": id, "total": 40, **data}, id=f"{id}-placed")


def bodies(ledger: Ledger, subject: str) -> list[str]:
    return [execution.step for execution in ledger.executions() if execution.subject == subject]


async def test_an_order_is_charged_packed_labelled_shipped_and_confirmed(shop: App, ledger: Ledger) -> None:
    run = await ended(shop, placed("A-1"))
    assert run.completed() == {"status": "shipped", "tracking": "TRACK-FFED6430"}
    steps = bodies(ledger, "A-1")
    assert steps[0] == "charge"
    assert sorted(steps[1:3]) == ["label", "pack"]
    assert steps[3] == "ship"
    assert sorted(steps[4:]) == ["mail", "points", "thanks"]
    assert ledger.payments("A-1") == [40]


async def ended(shop: App, event: Event) -> TestRun:
    """The run of an order after a day, in which all that it has started has ended too."""
    async with TestPlatform(shop) as platform:
        run = await platform.send_and_wait(event)
        await platform.advance("1d")
        assert all(run.ended_at for run in await platform.runs())
        return await platform.run(run.id)


async def test_a_declined_card_fails_the_run_at_its_first_try(shop: App, ledger: Ledger) -> None:
    run = await ended(shop, placed("A-1", card={"token": "tok_declined_1"}))
    error = run.failed("CardDeclined")
    assert error.type == "StepFailed"
    assert "failed after 1 attempt: CardDeclined: tok_declined_1 was declined for 40 EUR" in error.message
    assert bodies(ledger, "A-1") == ["charge"]
    assert ledger.payments("A-1") == []


async def test_what_the_carrier_gives_up_on_is_refunded(shop: App, ledger: Ledger) -> None:
    order = next(id for id in (f"A-{number}" for number in range(1000)) if refusals(shop, id) > 3)
    run = await ended(shop, placed(order))
    assert run.completed() == {"status": "refunded", "tracking": None}
    counted = Counter(bodies(ledger, order))
    assert counted == {"charge": 1, "pack": 1, "label": 4, "refund": 1, "mail": 1}
    assert ledger.payments(order) == [40, -40]


def refusals(shop: App, order: str) -> int:
    number: int = shop.functions["fulfil"].handler.__globals__["refusals"](order)
    return number


@pytest.mark.slow
async def test_a_day_of_orders_ends_as_the_orders_say_and_money_moves_once(shop: App, ledger: Ledger) -> None:
    events = read(EXAMPLES / "orders.jsonl")
    async with TestPlatform(shop) as platform:
        for event in events:
            await platform.send(event)
        await platform.advance("1d")
        runs = await platform.runs()
    orders = [run for run in runs if run.function == "shop/fulfil"]
    words = Counter(run.output["status"] if run.output else run.status for run in orders)
    assert words == {"shipped": SHIPPED, "failed": DECLINED, "refunded": REFUNDED}
    assert Counter(run.status for run in runs) == {"completed": SHIPPED * 2 + REFUNDED, "failed": DECLINED}
    balances = Counter(len(ledger.payments(order)) for order in {str(event.id)[: -len("-placed")] for event in events})
    assert balances == {0: DECLINED, 1: SHIPPED, 2: REFUNDED}
    assert all(execution.ended for execution in ledger.executions())
    executed = Counter((execution.run, execution.step) for execution in ledger.executions())
    assert {step for (_, step), times in executed.items() if times > 1} == {"label"}


# The feeder


class Desk:
    """What the feeder sees of a client."""

    def __init__(self, runs: dict[str, tuple[Run, ...]]) -> None:
        self.events = self
        self._runs = runs

    async def send(self, events: Sequence[Event]) -> list[str]:
        return [str(event.id) for event in events]

    async def wait(self, id: str) -> tuple[Run, ...]:
        return self._runs.get(id, ())


async def test_the_feeder_counts_each_run_once_by_how_it_ended() -> None:
    shipped = Run("r1", "shop/fulfil", "shop", "completed", output={"status": "shipped"})
    failed = Run("r2", "shop/fulfil", "shop", "failed")
    desk: Any = Desk({"a": (shipped,), "b": (failed,)})
    client: Client = desk
    events = [Event("order.placed", id=id) for id in ("a", "b", "a")]
    assert await feed(client, events) == {"shipped": 1, "failed": 1}
    assert ending(failed) == "failed"


def test_the_feeder_reads_every_order_of_the_file() -> None:
    events = read(EXAMPLES / "orders.jsonl")
    assert (len(events), events[0].name, events[0].id) == (315, "order.placed", "SW-10000-placed")


def test_without_a_server_the_feeder_says_what_to_start() -> None:
    nowhere = os.environ | {"STEPWELL_URL": "http://127.0.0.1:1"}
    hasty = "from stepwell.client import Client, Retry; Client.__init__.__kwdefaults__['retry'] = Retry(tries=1)"
    script = f"import runpy; {hasty}; runpy.run_path({str(EXAMPLES / 'feed.py')!r}, run_name='__main__')"
    ran = subprocess.run([sys.executable, "-c", script], env=nowhere, capture_output=True, text=True, check=False)
    assert ran.returncode == 1
    assert "Start a server with `stepwell dev`" in ran.stderr


# The ledger


def test_a_body_is_written_when_it_begins_and_when_it_ends(ledger: Ledger) -> None:
    with ledger.body("charge", "A-1", "run-1") as attempt:
        [during] = ledger.executions()
        assert (attempt, during.attempt, during.ended, during.pid) == (1, 1, None, os.getpid())
    with pytest.raises(ZeroDivisionError), ledger.body("charge", "A-1", "run-1") as attempt:
        _ = attempt / 0
    done, failed = ledger.executions()
    assert (done.outcome, failed.outcome, failed.attempt) == ("done", "ZeroDivisionError", 2)
    assert done.began <= str(done.ended) <= failed.began


def test_money_moves_once_for_each_key(ledger: Ledger) -> None:
    for _ in range(2):
        ledger.pay("run-1/charge", "A-1", Decimal("12.30"))
    ledger.pay("run-1/refund", "A-1", Decimal("-12.30"))
    assert ledger.payments("A-1") == [Decimal("12.30"), Decimal("-12.30")]


def test_many_threads_and_processes_may_begin_a_ledger_at_once(ledger: Ledger) -> None:
    def write() -> None:
        for _ in range(5):
            with ledger.body("pack", "A-1", "run-1"):
                pass

    threads = [threading.Thread(target=write) for _ in range(4)]
    with ExitStack() as pipes:  # leaving it closes them, and waits
        script = "for _ in range(20):\n with body(): pass"
        processes = [pipes.enter_context(elsewhere(ledger, script)) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert [process.returncode for process in processes] == [0, 0, 0]
    assert [execution.attempt for execution in ledger.executions()] == list(range(1, 81))
    with closing(sqlite3.connect(ledger.path)) as database:
        assert database.execute("PRAGMA journal_mode").fetchall() == [("wal",)]


def test_a_body_cut_off_by_a_kill_stays_without_an_end(ledger: Ledger) -> None:
    with elsewhere(ledger, "with body(): print(1, flush=True); input()") as process:
        assert process.stdout
        process.stdout.readline()
        process.send_signal(signal.SIGKILL)
    [cut] = ledger.executions()
    assert (cut.pid, cut.ended, cut.outcome) == (process.pid, None, None)


def elsewhere(ledger: Ledger, code: str) -> subprocess.Popen[bytes]:
    """Another process, in which `body()` is that of one step."""
    script = (
        f"from ledger import Ledger\ndef body(): return Ledger({str(ledger.path)!r}).body('pack', 'A-1', 'run-1')\n"
    )
    words = [sys.executable, "-c", script + code]
    return subprocess.Popen(words, cwd=EXAMPLES, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
