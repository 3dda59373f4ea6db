"""The registry as a process holds it: apps, their functions, and what these mean for partitions and events."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType

import structlog

from stepwell.functions.protocol import CronManifest, FunctionManifest, Manifest, TriggerManifest
from stepwell.platform.cron.schedule import Schedule
from stepwell.platform.expressions import ExpressionError
from stepwell.platform.flow.constraint import Constraint
from stepwell.platform.flow.controls import constraints_of, is_controlled
from stepwell.platform.flow.homes import homes_of
from stepwell.platform.flow.moves import EVERYWHERE, Homes, held, held_in, moves_of
from stepwell.platform.ids import home_of
from stepwell.platform.subscriptions import Subscriptions
from stepwell.platform.waits.sought import paths_of
from stepwell.platform.waits.words import Awaited, Paths

ENDS = ("inngest/function.finished", "inngest/function.failed", "inngest/function.cancelled")
"""Names of the events that tell that a run has ended."""


@dataclass(frozen=True, slots=True, eq=False)
class RegisteredFunction:
    """A function as an app registered it.

    Args:
        id: as `app/function`.
        app: id of its app.
        version: of its app.
        manifest: as registered.
        constraints: what its ready runs may have to wait for.
        counted: something about its runs is counted, so they all live in one partition.
        controlled: its runs are created with more than their event.
        home: what that partition is the hash of.
    """

    id: str
    app: str
    version: str
    manifest: FunctionManifest
    constraints: tuple[Constraint, ...]
    counted: bool
    controlled: bool
    home: str

    @property
    def events(self) -> tuple[str, ...]:
        """The event names and wildcards that start it."""
        return tuple(trigger.event for trigger in self.manifest.triggers if isinstance(trigger, TriggerManifest))

    @property
    def schedules(self) -> tuple[Schedule, ...]:
        """The schedules that start it."""
        crons = [trigger for trigger in self.manifest.triggers if isinstance(trigger, CronManifest)]
        return tuple(Schedule.of(self.id, cron) for cron in crons)

    @property
    def starts(self) -> tuple[str, ...]:
        """All that starts it, in words."""
        return (*self.events, *(f"{schedule.cron} ({schedule.tz})" for schedule in self.schedules))

    @property
    def limited(self) -> bool:
        """Whether runs that are ready may have to wait."""
        return any(one.rule for one in self.constraints)

    @property
    def limits(self) -> list[tuple[str, str]]:
        """Names and values of the hash of limits that concern it; see store/keys.py."""
        if not self.constraints:
            return []
        names = " ".join([one.name for one in self.constraints])
        return [(self.id, names), *((f"#{one.name}", one.rule) for one in self.constraints if one.rule)]


def functions_of(manifest: Manifest) -> Iterator[RegisteredFunction]:
    """The functions of an app, each as if it were the only one there is."""
    for function in manifest.functions:
        constraints = constraints_of(manifest.id, function)
        name = f"{manifest.id}/{function.id}"
        flows = is_controlled(function)
        yield RegisteredFunction(
            name,
            manifest.id,
            manifest.version,
            function,
            constraints,
            counted=bool(constraints) or flows,
            controlled=flows or function.timeouts is not None or bool(function.cancel_on),
            home=name,
        )


def cancels_of(functions: Iterable[RegisteredFunction]) -> Iterator[tuple[str, Paths]]:
    """Names and paths of the events that cancel runs; without paths, for those that have an object where one leads."""
    for function in functions:
        for control in function.manifest.cancel_on:
            try:
                yield control.event, paths_of(control.if_)
            except ExpressionError as error:
                structlog.get_logger("stepwell.registry").error(
                    "condition_not_understood", condition=control.if_, error=str(error)
                )
            yield control.event, ()


def _at_home(functions: Sequence[RegisteredFunction]) -> list[RegisteredFunction]:
    homes = homes_of({function.id: function.constraints for function in functions})
    return [replace(function, home=homes[function.id]) for function in functions]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The registry as it was at one version.

    Args:
        version: counts up.
        apps: by their id.
        waits: names of events that steps wait for, each with a set of paths.
        indexed: those of them for which the events that came before are indexed as well.
        moves: functions whose runs live elsewhere since a deploy; see flow/moves.py.
    """

    version: int
    apps: Mapping[str, Manifest]
    waits: tuple[tuple[str, Paths], ...] = ()
    indexed: frozenset[tuple[str, Paths]] = frozenset()
    moves: Mapping[str, Homes] = field(default_factory=dict[str, Homes])
    awaited: Awaited = field(init=False)
    functions: Mapping[str, RegisteredFunction] = field(init=False)
    schedules: Mapping[str, Schedule] = field(init=False)
    subscriptions: Subscriptions[RegisteredFunction] = field(init=False)

    def __post_init__(self) -> None:
        functions = _at_home([function for app in self.apps.values() for function in functions_of(app)])
        schedules = [schedule for function in functions for schedule in function.schedules]
        triggers = [
            (on.event, on.if_, function)
            for function in functions
            for on in function.manifest.triggers
            if isinstance(on, TriggerManifest)
        ]
        object.__setattr__(self, "functions", MappingProxyType({function.id: function for function in functions}))
        object.__setattr__(self, "schedules", MappingProxyType({schedule.id: schedule for schedule in schedules}))
        object.__setattr__(self, "subscriptions", Subscriptions(triggers))
        object.__setattr__(self, "awaited", Awaited([*self.waits, *cancels_of(functions)]))

    @property
    def tells(self) -> int:
        """Which ends events have to tell of: a bit for each status, as in lua/include/ending.lua."""
        finished, failed, cancelled = (self.is_heard(name) for name in ENDS)
        return 7 * finished | 2 * failed | 4 * cancelled

    def is_heard(self, name: str) -> bool:
        """Whether a function may be started, or a wait ended, by an event of this name."""
        return name in self.awaited or self.subscriptions.has(name)

    def home_of(self, schedule: Schedule, partitions: int) -> int:
        """The partition of a schedule of this registry, of so many: that of its function's runs."""
        return home_of(self.functions[schedule.function].home, partitions)

    def schedules_at(self, partition: int, partitions: int) -> dict[str, Schedule]:
        """Those at home in a partition, of so many, by id."""
        return {id: one for id, one in self.schedules.items() if self.home_of(one, partitions) == partition}

    def limits_at(self, partition: int, partitions: int) -> dict[str, str]:
        """The hash of limits of a partition, of so many. Of what functions share, the lowest limit holds."""
        found: dict[str, str] = {}
        for name, value in (limit for function in self.functions.values() for limit in function.limits):
            lower = name.startswith("#") and name in found and int(found[name]) < int(value)
            found[name] = found[name] if lower else value
        for function in self.held_at(partition, partitions):
            found.update(held(function, found[function]))
        return found

    def held_at(self, partition: int, partitions: int) -> list[str]:
        """The functions of which no run may begin in a partition, of so many, while older ones execute elsewhere."""
        moves = [
            (self.functions[function], move) for function, move in self.moves.items() if function in self.functions
        ]
        return [one.id for one, move in moves if one.limited and partition in held_in(move, one.home, partitions)]

    def moves_by(self, manifest: Manifest) -> dict[str, Homes]:
        """The moves there are once an app is registered as in the manifest."""
        then = Snapshot(self.version, {**self.apps, manifest.id: manifest})
        before = {one.id: one.home if one.counted else EVERYWHERE for one in self.functions.values()}
        after = {one.id: one.home for one in then.functions.values() if one.limited}
        return moves_of(before, after, self.moves)
