"""The outside world of the example shop: a small SQLite file in which every side effect is counted.

Each execution of a step's body is a row, written when it begins and completed when it ends, committed both times: a
body that was cut off by a crash is a row without an end. Money is kept as a payment provider would, which knows a
request it has seen by its key. Any number of threads and processes may write at once.
"""

from __future__ import annotations

import os
import sqlite3
import tempfile
from collections.abc import Generator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

BUSY_SECONDS = 30.0
NOW = "strftime('%Y-%m-%dT%H:%M:%fZ', 'now')"
SCHEMA = f"""
PRAGMA journal_mode = WAL;
CREATE TABLE bodies (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    step TEXT NOT NULL,
    subject TEXT NOT NULL,
    run TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    pid INTEGER NOT NULL,
    began TEXT NOT NULL DEFAULT ({NOW}),
    ended TEXT,
    outcome TEXT
);
CREATE INDEX bodies_of_step ON bodies (run, step);
CREATE TABLE payments (key TEXT PRIMARY KEY, subject TEXT NOT NULL, amount TEXT NOT NULL);
"""
BEGIN = """
INSERT INTO bodies (step, subject, run, attempt, pid)
SELECT :step, :subject, :run, count(*) + 1, :pid FROM bodies WHERE run = :run AND step = :step
RETURNING number, attempt
"""


@dataclass(frozen=True, slots=True)
class Execution:
    """One execution of a step's body.

    Args:
        number: place in the order in which they began.
        step: key of the step.
        subject: what it was about, such as the id of an order.
        run: id of the run.
        attempt: 1 for the first execution of this step of this run.
        pid: of the process.
        began, ended: ISO 8601 UTC; `ended` is None when it was cut off, or goes on.
        outcome: "done", or the type of the exception that ended it.
    """

    number: int
    step: str
    subject: str
    run: str
    attempt: int
    pid: int
    began: str
    ended: str | None
    outcome: str | None


@dataclass(frozen=True, slots=True)
class Ledger:
    """The ledger in a file, which is made when first written to."""

    path: str | Path

    @classmethod
    def of_environment(cls) -> Ledger:
        """The ledger of SHOP_LEDGER, else the one beside the data of `stepwell dev`."""
        return cls(os.environ.get("SHOP_LEDGER") or ".stepwell/ledger.sqlite")

    @contextmanager
    def body(self, step: str, subject: str, run: str) -> Generator[int]:
        """Counts an execution of a step's body, and gives its attempt: 1, then 2…"""
        given = {"step": step, "subject": subject, "run": run, "pid": os.getpid()}
        [(number, attempt)] = self._ask(BEGIN, given)
        try:
            yield attempt
        except BaseException as error:
            self._end(number, type(error).__name__)
            raise
        self._end(number, "done")

    def pay(self, key: str, subject: str, amount: Decimal) -> None:
        """Moves money once for each key, however often it is asked to; a negative amount is paid back."""
        self._ask("INSERT OR IGNORE INTO payments VALUES (?, ?, ?)", (key, subject, str(amount)))

    def executions(self) -> list[Execution]:
        """Every execution of a body, in the order in which they began."""
        return [Execution(*row) for row in self._ask("SELECT * FROM bodies ORDER BY number", ())]

    def payments(self, subject: str) -> list[Decimal]:
        """What was paid for a subject, and paid back."""
        rows = self._ask("SELECT amount FROM payments WHERE subject = ? ORDER BY rowid", (subject,))
        return [Decimal(amount) for (amount,) in rows]

    def _end(self, number: int, outcome: str) -> None:
        self._ask(f"UPDATE bodies SET ended = {NOW}, outcome = ? WHERE number = ?", (outcome, number))

    def _ask(self, statement: str, given: Any) -> list[tuple[Any, ...]]:
        # A connection each time: it may be used in one thread only, and this is not the place to be fast.
        if not Path(self.path).exists():
            self._create()
        with closing(sqlite3.connect(self.path, timeout=BUSY_SECONDS, isolation_level=None)) as database:
            return database.execute(statement, given).fetchall()

    def _create(self) -> None:
        """Makes the file whole or not at all: two processes cannot turn on write-ahead logging at once."""
        path = Path(self.path)
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=path.name, dir=path.parent) as folder:
            fresh = Path(folder) / "fresh"
            with closing(sqlite3.connect(fresh)) as database:
                database.executescript(SCHEMA)
            with suppress(FileExistsError):  # another was first
                os.link(fresh, path)
