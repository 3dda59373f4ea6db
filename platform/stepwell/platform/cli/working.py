"""What the parent of a worker does."""

import asyncio
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress

import structlog
from watchfiles import PythonFilter, awatch  # pyright: ignore[reportUnknownVariableType]

from stepwell.client.address import DEFAULT_URL
from stepwell.platform.cli.announcing import announce, warn
from stepwell.platform.cli.console import complain, say
from stepwell.platform.cli.stopping import on_signals
from stepwell.platform.clock import SystemClock
from stepwell.platform.engine.partition import partitions_of
from stepwell.platform.errors import StepwellError
from stepwell.platform.executor.errand import environment
from stepwell.platform.executor.supervisor import Supervisor
from stepwell.platform.registry import Registry
from stepwell.platform.settings import Settings
from stepwell.platform.snapshot import RegisteredFunction
from stepwell.platform.store.embedded import address_of
from stepwell.platform.store.store import Store
from stepwell.platform.target import BadTarget, folder_of


async def work(settings: Settings, target: str, concurrency: int, *, reload: bool, dev: int | None) -> int:
    """Executes runs until told to stop; answers the exit code.

    Args:
        settings: say where Redis is.
        target: whose functions.
        concurrency: runs at once.
        reload: start a new child whenever the code changes, also after it could not be loaded.
        dev: say what to try, and write a byte to this pipe when functions are served, or cannot be.

    Raises `BadTarget` when the target cannot be loaded and `reload` is off.
    """
    settings = settings.model_copy(update={"redis_url": await address_of(settings)})
    async with Store.open(settings) as store:
        partitions = partitions_of(store, SystemClock())
        url = os.environ.get("STEPWELL_URL", DEFAULT_URL)
        telling = Telling(Registry(partitions), target, url, dev=dev)
        supervisor = Supervisor(
            partitions,
            SystemClock(),
            settings,
            target,
            concurrency,
            environment(dict(os.environ), str(settings.redis_url)),
            telling.ready,
            telling.failed if reload else None,
        )
        on_signals(supervisor.stop)
        watching = asyncio.create_task(watch(target, supervisor, telling)) if reload else None
        try:
            await supervisor.run()
        except* BadTarget as problems:
            raise problems.exceptions[0] from None
        finally:
            if watching is not None:
                watching.cancel()
                with suppress(asyncio.CancelledError):
                    await watching
    return 0


async def watch(target: str, supervisor: Supervisor, telling: "Telling") -> None:
    """Has the child replaced whenever Python code in the folder of the target changes."""
    try:
        async for _ in awatch(folder_of(target), watch_filter=PythonFilter()):
            telling.changed()
            supervisor.replace()
    except Exception as error:
        warn(f"changes of the code are not noticed ({error}); start again to have them")


class Telling:
    """Says what a worker serves, when its child is ready and that is news; that it replaces a dead one is none.

    Args:
        registry: knows the triggers.
        target: what the functions are of.
        url: of the server.
        dev: a pipe that gets a byte when there is something to say for the first time; then it also says what to try.
    """

    def __init__(self, registry: Registry, target: str, url: str, *, dev: int | None) -> None:
        self._registry = registry
        self._target = target
        self._url = url
        self._changed = False
        self._served = False
        self._said: Mapping[str, Sequence[str]] = {}
        self._dev = dev is not None
        self._waiting = dev
        self._saying: set[asyncio.Task[None]] = set()

    def ready(self, functions: Sequence[str]) -> None:
        """A child serves these."""
        self._served = True
        self._let_go()
        task = asyncio.create_task(self._say(functions))
        self._saying.add(task)
        task.add_done_callback(self._saying.discard)

    def failed(self, problem: str) -> None:
        """The target cannot be loaded."""
        self._changed = True
        warn(problem)
        meanwhile = "the code of before goes on serving" if self._served else "nothing is served"
        complain(f"    Until that is mended, {meanwhile}; it is loaded again whenever the code changes.")
        self._let_go()

    def changed(self) -> None:
        """The code has changed: the next child is news."""
        self._changed = True

    def _let_go(self) -> None:
        if self._waiting is not None:
            os.write(self._waiting, b".")
            os.close(self._waiting)
            self._waiting = None

    async def _say(self, functions: Sequence[str]) -> None:
        if not self._dev:
            structlog.get_logger().info("worker serves", functions=list(functions), target=self._target)
            return
        with suppress(StepwellError):
            known = (await self._registry.load()).functions
            self._announce({name: known[name] for name in functions if name in known})

    def _announce(self, functions: Mapping[str, RegisteredFunction]) -> None:
        starts = {name: function.starts for name, function in functions.items()}
        if starts != self._said:
            announce(self._target, starts, [event for one in functions.values() for event in one.events], self._url)
        elif self._changed:
            say(f"  {self._target} is loaded anew")
        self._said, self._changed = starts, False
