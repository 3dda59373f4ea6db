"""What `python bench` does: parses what is asked for, measures it section by section, and reports."""

import argparse
import asyncio
import os
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType
from typing import Any

from bench import (
    admission,
    backlog,
    children,
    clockwork,
    conditions,
    crash,
    fairness,
    fanout,
    gathering,
    handover,
    ingest,
    latency,
    limiting,
    memory,
    sequence,
    served,
    sleeping,
    throttle,
    throughput,
    transitions,
    waiting,
)
from bench.figure import BenchFailed, Figure
from bench.machine import Machine
from bench.report import Report
from bench.scale import FULL, QUICK, TINY, Fsync, Scale, Setting
from bench.stack import CONTROLLED, TARGET, running
from stepwell.client import ClientError
from stepwell.platform.errors import StepwellError
from stepwell.platform.store.binary import bundled

Section = Callable[[Setting], Awaitable[list[Figure]]]


async def pages_measured(setting: Setting) -> list[Figure]:
    """The section of the pages, for which a browser is needed, and what drives it."""
    try:
        pages = import_module("bench.pages")
    except ImportError:
        raise BenchFailed("Playwright is not installed: pip install --group test") from None
    found: list[Figure] = await pages.measure(setting)
    return found


async def served_measured(setting: Setting) -> list[Figure]:
    """The section of apps of the official SDKs, which have to be installed."""
    if find_spec("inngest") is None:
        raise BenchFailed("the official SDK is not installed: pip install --group test")
    return await served.measure(setting)


SECTIONS: MappingProxyType[str, Section] = MappingProxyType(
    {
        "W1": throughput.measure,
        "W2": latency.measure,
        "W3": sequence.measure,
        "W4": fanout.measure,
        "W5": sleeping.measure,
        "W6": crash.measure,
        "W7": waiting.measure,
        "W8": children.measure,
        "W9": clockwork.measure,
        "W10": conditions.measure,
        "admission": admission.measure,
        "backlog": backlog.measure,
        "handover": handover.measure,
        "throttle": throttle.measure,
        "gathering": gathering.measure,
        "fairness": fairness.measure,
        "ingest": ingest.measure,
        "limiting": limiting.measure,
        "memory": memory.measure,
        "transitions": transitions.measure,
        "A/A": throughput.measure_twice,
        "pages": pages_measured,
        "served": served_measured,
    }
)
ASKED = frozenset({"pages", "served"})
"""Sections that are measured only when they are asked for: not every machine has a browser, or the SDKs."""
USUAL = tuple(section for section in SECTIONS if section not in ASKED)
TOGETHER = MappingProxyType(
    {
        TARGET: frozenset({"W1", "W2", "W3", "W4", "W5", "W7", "W10", "memory", "A/A"}),
        CONTROLLED: frozenset({"admission", "backlog", "handover", "throttle", "gathering", "fairness"}),
    }
)
"""Sections that leave a platform as others can use it: the same functions, and no run whose end nobody waited for."""
ONCE = frozenset({"memory"})
"""Sections for which it does not matter how Redis writes."""
SIZES = MappingProxyType({"full": FULL, "quick": QUICK, "tiny": TINY})


@dataclass(frozen=True, slots=True)
class Choice:
    """What is to be measured. `program`: the server to embed, None for the one a user would have."""

    scale: Scale
    fsyncs: tuple[Fsync, ...]
    sections: tuple[str, ...]
    program: Path | None
    json: Path | None


def main(words: Sequence[str] | None = None) -> int:
    """Measures; answers 1 when a section could not be measured. A missed target may be the machine's."""
    choice = chosen(words)
    # Everything is measured with the settings a user starts with.
    for name in [name for name in os.environ if name.startswith("STEPWELL_")]:
        del os.environ[name]
    factory, loop = event_loop()
    with asyncio.Runner(loop_factory=factory) as runner:
        report = runner.run(measure(choice, loop))
    if choice.json:
        report.write(choice.json)
    return 1 if report.failures else 0


async def measure(choice: Choice, loop: str) -> Report:
    """Measures all that was chosen."""
    setting = Setting(choice.scale, choice.fsyncs[0], choice.program)
    report = Report(await Machine.here(setting, loop))
    report.head()
    for fsync in choice.fsyncs:
        report.title(fsync)
        sections = [section for section in choice.sections if section not in ONCE or fsync == choice.fsyncs[0]]
        await measure_sections(report, replace(setting, fsync=fsync), sections)
    report.end()
    return report


async def measure_sections(report: Report, setting: Setting, sections: Sequence[str]) -> None:
    """Measures them one after the other; those that may share a platform, when they are to, on one."""
    async with AsyncExitStack() as later:
        settings = dict.fromkeys(sections, setting)
        for target, together in TOGETHER.items():
            if setting.scale.together and (some := together.intersection(sections)):
                stack = await later.enter_async_context(running(setting, target=target))
                settings.update(dict.fromkeys(some, replace(setting, shared=stack)))
        for section in sections:
            await measure_section(report, settings[section], section)


async def measure_section(report: Report, setting: Setting, section: str) -> None:
    """Measures one section; what cannot be measured does not keep the others from it."""
    try:
        figures = await SECTIONS[section](setting)
    except (BenchFailed, ClientError, StepwellError, OSError) as error:
        report.fail(setting.fsync, section, error)
        return
    for figure in figures:
        report.add(setting.fsync, section, figure)


def event_loop() -> tuple[Callable[[], asyncio.AbstractEventLoop] | None, str]:
    """The loop a client has that runs under a usual application server."""
    try:
        import uvloop  # not everywhere
    except ImportError:
        return None, "asyncio"
    return uvloop.new_event_loop, "uvloop"


def chosen(words: Sequence[str] | None) -> Choice:
    """What the words ask for; ends the process, with a line that says why, when they ask for what there is not."""
    parser = argparse.ArgumentParser(
        "python bench", description="Measures the hot path; one platform for each section."
    )
    parser.add_argument(
        "--quick", dest="size", action="store_const", const="quick", default="full", help="fewer and smaller rounds"
    )
    parser.add_argument("--size", choices=SIZES, help="the same, and smaller still (default: full)")
    parser.add_argument("--only", type=names, default=USUAL, help=f"some of {','.join(SECTIONS)}")
    parser.add_argument("--fsync", choices=("everysec", "always", "both"), default="both", help="default: both")
    parser.add_argument("--repeat", type=positive, help="rounds of each workload")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything to a file")
    parser.add_argument("--bundled", action="store_true", help="embed the server that comes with us, not that of PATH")
    return choice_of(parser.parse_args(words))


def choice_of(given: Any) -> Choice:
    """The parsed words."""
    scale = SIZES[given.size]
    return Choice(
        scale if given.repeat is None else replace(scale, repeat=given.repeat),
        ("everysec", "always") if given.fsync == "both" else (given.fsync,),
        given.only,
        bundled() if given.bundled else None,
        given.json,
    )


def names(text: str) -> tuple[str, ...]:
    """Names of sections, in whatever case."""
    known = {name.lower(): name for name in SECTIONS}
    unknown = [word for word in text.split(",") if word.lower() not in known]
    if unknown:
        raise argparse.ArgumentTypeError(f"there is no section {unknown[0]!r}; there are {', '.join(SECTIONS)}")
    return tuple(known[word.lower()] for word in text.split(","))


def positive(text: str) -> int:
    """A whole number from 1 on."""
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 1 on")
    return int(text)
