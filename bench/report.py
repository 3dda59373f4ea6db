"""The report: a line for each figure as soon as it is there, and everything as JSON."""

from dataclasses import asdict, dataclass, field
from pathlib import Path

import orjson

from bench.cpu import Cpu
from bench.figure import Figure, number
from bench.machine import Machine

WORDS = {None: "", True: "pass", False: "MISS"}


@dataclass(slots=True)
class Report:
    """What was measured so far, by persistence setting and section."""

    machine: Machine
    lines: list[dict[str, object]] = field(default_factory=list[dict[str, object]])
    missed: list[str] = field(default_factory=list[str])
    failures: list[str] = field(default_factory=list[str])

    def head(self) -> None:
        """Prints what it is about."""
        print(self.machine)
        print("median (least to most) of the rounds; µs of CPU each: client, server, worker's child, Redis")

    def title(self, fsync: str) -> None:
        """Prints under which persistence setting the following was measured."""
        print(f"\nappendfsync {fsync}")

    def add(self, fsync: str, section: str, figure: Figure) -> None:
        """Prints a figure and keeps it."""
        print(f"{section:<12}{line(figure)}", flush=True)
        judged = {"target": str(figure.target) if figure.target else None, "passed": figure.passed}
        self.lines.append({"fsync": fsync, "section": section, **asdict(figure), "median": figure.value, **judged})
        if figure.passed is False:
            self.missed.append(f"{fsync} {section}: {figure.name}")

    def fail(self, fsync: str, section: str, error: Exception) -> None:
        """Prints that a section could not be measured."""
        self.failures.append(f"{fsync} {section}: {error}")
        print(f"{section:<12}not measured: {error}", flush=True)

    def end(self) -> None:
        """Prints what was missed."""
        judged = [line for line in self.lines if line["passed"] is not None]
        print(f"\n{len(judged) - len(self.missed)} of {len(judged)} targets met")
        for name in self.missed:
            print(f"missed: {name}")
        for failure in self.failures:
            print(f"not measured: {failure}")

    def write(self, path: Path) -> None:
        """Writes it as JSON."""
        whole = {"machine": asdict(self.machine), "figures": self.lines, "failures": self.failures}
        path.write_bytes(orjson.dumps(whole, option=orjson.OPT_INDENT_2))


def line(figure: Figure) -> str:
    """A figure in words."""
    value = number(figure.value)
    if len(figure.values) > 1:
        value += f" ({number(min(figure.values))} to {number(max(figure.values))})"
    parts = [
        f"{figure.name:<74}",
        f"{value + ' ' + figure.unit:>34}",
        f"{figure.target or ''!s:>9} {WORDS[figure.passed]:<4}",
        f"{costs(figure.cpu, figure.per):<58}",
        f"load {figure.load:.1f}",
        f"[{figure.note}]" if figure.note else "",
    ]
    return "  ".join(part for part in parts if part).rstrip()


def costs(cpu: Cpu | None, per: str) -> str:
    """What a figure costs, in µs."""
    if cpu is None:
        return ""
    spent = asdict(cpu).items()
    return f"µs/{per}: " + " ".join(f"{part} {number(value)}" for part, value in spent if value)
