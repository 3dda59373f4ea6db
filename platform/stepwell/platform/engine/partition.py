"""One partition of the platform, as the engine's parts are given it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from stepwell.platform.clock import Clock
from stepwell.platform.store.group import Group
from stepwell.platform.store.keys import Keys
from stepwell.platform.store.store import Store

Argument = bytes | str | int | float


@dataclass(frozen=True, slots=True)
class Partition:
    """Where a partition is and what time it is there."""

    store: Store
    clock: Clock
    index: int
    keys: Keys

    async def script(self, verb: str, *fixed: Argument, items: Sequence[Sequence[Argument]] = ()) -> Any:
        """Runs the transition `verb`; `now` goes in front of `fixed`, `items` are rows."""
        return await self.store.script(self.index, verb, (self.clock.argument(), *fixed), items)

    async def read(self, *command: Argument) -> Any:
        """Runs a command that only reads."""
        return await self.store.call(self.index, *command)

    def group(self, verb: str, *fixed: Argument) -> Group:
        """A group whose items travel together in calls of `verb`."""

        def arguments() -> Sequence[Argument]:
            return (self.clock.argument(), *fixed)

        return Group(self.store, self.index, verb, arguments)


def partitions_of(store: Store, clock: Clock) -> tuple[Partition, ...]:
    """Every partition of a store."""
    return tuple(Partition(store, clock, index, Keys(tag)) for index, tag in enumerate(store.tags))
