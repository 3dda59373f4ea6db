"""The process in which user code runs. Its parent keeps its session alive, and ends it when it is gone.

Run as `python -m stepwell.platform.executor.child ERRAND`.
"""

import asyncio
import contextlib
import ctypes
import gc
import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import structlog

from stepwell.functions import App
from stepwell.platform.clock import SystemClock
from stepwell.platform.engine.cards import Cards
from stepwell.platform.engine.partition import partitions_of
from stepwell.platform.errors import InvalidManifest, StepwellError
from stepwell.platform.executor.board import Board
from stepwell.platform.executor.errand import BAD_TARGET, Command, Errand, Report, line
from stepwell.platform.executor.inprocess import InProcess
from stepwell.platform.executor.introducing import Introduction, card_of, introduced
from stepwell.platform.executor.prints import overheard
from stepwell.platform.executor.session import Session
from stepwell.platform.executor.worker import Worker
from stepwell.platform.ingest import Ingest
from stepwell.platform.logs import configure_logs
from stepwell.platform.registry import Registry, check_manifest
from stepwell.platform.settings import Settings
from stepwell.platform.store.store import Store
from stepwell.platform.target import BadTarget, load_apps
from stepwell.platform.waits.waits import Waits

ALIVE = 1.0
"""Seconds between two signs of life."""
PR_SET_PDEATHSIG = 1
GC_THRESHOLD = (50_000, 20, 100)
"""A run is a few hundred objects that die by their reference counts; looking for cycles after every 700 of them took a
fifth of the time."""


def main() -> None:
    """Does the errand of the first argument."""
    errand = Errand.model_validate_json(sys.argv[1])
    _end_with_parent()
    # Ctrl-C goes to the whole foreground group; the parent decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    configure_logs()
    try:
        apps = load_apps(errand.target)
        for app in apps:
            check_manifest(app.manifest)
    except (BadTarget, InvalidManifest) as problem:
        os.write(errand.report, line(Report(what="failed", problem=str(problem))))
        sys.exit(BAD_TARGET)
    # What has been imported stays for good: the collector need not look at it again and again.
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLD)
    with _runner() as runner:
        runner.run(_serve(errand, apps))


def _runner() -> asyncio.Runner:
    try:
        import uvloop  # not everywhere
    except ImportError:
        return asyncio.Runner()
    return asyncio.Runner(loop_factory=uvloop.new_event_loop)


def _end_with_parent() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


async def _serve(errand: Errand, apps: list[App]) -> None:
    settings, clock = Settings(), SystemClock()
    hearing = overheard() if settings.capture_prints and settings.log_lines else contextlib.nullcontext()
    async with Store.open(settings) as store:
        partitions = partitions_of(store, clock)
        registry = Registry(partitions)
        await _register(registry, apps)
        ingest = Ingest(partitions, registry, clock)
        handlers = InProcess(apps, settings, concurrency=errand.concurrency, suspects=errand.suspects)
        worker = Worker(
            partitions,
            handlers,
            ingest,
            Waits.over(partitions, registry, ingest, settings, clock),
            clock,
            settings,
            Session(errand.session),
            board=Board.open(Path(errand.board)),
        )
        card = card_of(errand, apps, settings, clock.now())
        with hearing:
            async with introduced(Cards(partitions[0]), errand.session, card) as introduction:
                await _work(worker, [*handlers.functions], introduction, errand, settings.drain_patience)


async def _register(registry: Registry, apps: list[App]) -> None:
    while True:
        try:
            for app in apps:
                await registry.register(app.manifest)
            return
        except StepwellError as error:
            structlog.get_logger().warning("not_registered", error=str(error))
            await asyncio.sleep(ALIVE)


async def _work(
    worker: Worker, functions: Sequence[str], introduction: Introduction, errand: Errand, patience: float
) -> None:
    drain = asyncio.Event()
    _listen(errand.control, drain.set, worker.session.dead.set)
    _tell(errand.report, Report(what="ready", functions=list(functions)))
    leasing = asyncio.create_task(worker.run())
    signs = asyncio.create_task(_give_signs(worker, errand.report))
    draining = asyncio.create_task(drain.wait())
    await asyncio.wait({leasing, draining}, return_when=asyncio.FIRST_COMPLETED)
    if drain.is_set():
        await asyncio.gather(worker.drain(patience), introduction.drain())
    for task in (leasing, signs, draining):
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def _give_signs(worker: Worker, report: int) -> None:
    while True:
        _tell(report, Report(what="alive", busy=worker.busy))
        await asyncio.sleep(ALIVE)


def _tell(report: int, message: Report) -> None:
    # A parent that does not read any more is a parent that is gone.
    with contextlib.suppress(BrokenPipeError, BlockingIOError):
        os.write(report, line(message))


def _listen(control: int, drain: Callable[[], None], dead: Callable[[], None]) -> None:
    """Reads commands in a thread, which notices the parent's end even while user code holds up the loop."""
    loop = asyncio.get_running_loop()

    def listen() -> None:
        with os.fdopen(control, "rb") as commands:
            for text in commands:
                command = Command.model_validate_json(text)
                loop.call_soon_threadsafe(drain if command.what == "drain" else dead)
        os._exit(1)

    threading.Thread(target=listen, name="stepwell-parent", daemon=True).start()


if __name__ == "__main__":
    main()
