"""What the controls of functions have to do with each event, kept by hand: a ledger that tests hold the engine to."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from stepwell.functions.protocol import FunctionManifest
from stepwell.platform.flow.constraint import Constraint
from stepwell.platform.flow.controls import constraints_of
from stepwell.platform.flow.refusal import Refusal
from stepwell.platform.lanes import lane_of
from stepwell.platform.records import RunRecord, Status

Key = tuple[str, str, Any]
"""A function, a control, and a value of its key."""


@dataclass(frozen=True)
class Sent:
    """An event. `ts`: later than `at` when its runs are to start then."""

    id: str
    data: dict[str, Any]
    at: int
    ts: int

    @property
    def body(self) -> dict[str, Any]:
        """As expressions see it."""
        return {"id": self.id, "data": self.data}


@dataclass
class Made:
    """A run as it has to be: for its events, not before `due`.

    Args:
        gathers: debounce or batch, until it waits for no more events; else "".
        place: of the only run of a key.
    """

    function: str
    events: list[Sent]
    created: int
    due: int
    lane: str
    prio: int
    gathers: str = ""
    place: Key | None = None
    begun: bool = False
    debounced: bool = False


LATE = 20
"""Ms of which starts that follow make up for one that was late."""


@dataclass
class Throttled:
    """Starts under one throttle since its rule is what it is.

    `even`: when the next would be due, had all come evenly; outlives the rule.
    """

    interval: float
    burst: int
    even: float = 0
    starts: list[int] = field(default_factory=list[int])

    def start(self, now: int) -> None:
        """One more; in no span are there more than so many."""
        self.even = self._next_even(now) + self.interval
        self.starts.append(now)
        for number, start in enumerate(self.starts):
            most = self.burst + (now - start + LATE) / self.interval
            assert len(self.starts) - number <= most + 1e-3, f"{self} has too many"

    def due(self, now: int) -> float:
        """When another may start."""
        return max(now, self._next_even(now) - self.interval * (self.burst - 1))

    def _next_even(self, now: int) -> float:
        return max(now, min(self.even, now + self.interval * self.burst))


class Ledger:
    """All events, their runs, and what counts for the next one."""

    def __init__(self) -> None:
        self.functions: dict[str, FunctionManifest] = {}
        self.paused: dict[str, str] = {}
        self.made: dict[str, Made] = {}
        self.events: dict[str, Sent] = {}
        self.refused: dict[tuple[str, str], Refusal] = {}
        self._once: dict[Key, tuple[str, int]] = {}
        self._rated: dict[Key, list[int]] = {}
        self._gathering: dict[Key, str] = {}
        self._places: dict[Key, str] = {}
        self._throttles: dict[str, Throttled] = {}

    # Events.

    def refusal(self, function: str, event: Sent, runs: Mapping[str, RunRecord]) -> Refusal | None:
        """Why an event is to start no run of a function, if so. `runs`: as they were before."""
        control = self.functions[function]
        if self.paused.get(function) == "drop":
            return Refusal("paused")
        if control.idempotency:
            first, over = self._once.get((function, "once", event.data["n"]), ("", 0))
            if over > event.at:
                return Refusal("duplicate", first)
        if control.rate_limit:
            times = self._rated.get(_key(function, "rate", control.rate_limit.key, event), [])
            if sum(time > event.at - control.rate_limit.period for time in times) >= control.rate_limit.limit:
                return Refusal("rate_limited")
        holder = self.holder(function, event, runs)
        if holder and control.singleton and control.singleton.mode == "skip":
            return Refusal("singleton", holder)
        return None

    def holder(self, function: str, event: Sent, runs: Mapping[str, RunRecord]) -> str | None:
        """The run that has the place that a run for this event needs."""
        control, joined = self.functions[function], self.joined(function, event, runs)
        if not control.singleton or (joined and self.made[joined].gathers == "batch"):
            return None
        holder = self._places.get(_key(function, "single", control.singleton.key, event))
        return holder if holder and holder != joined and not runs[holder].status.ended else None

    def joined(self, function: str, event: Sent, runs: Mapping[str, RunRecord]) -> str | None:
        """The run that an event has to become part of."""
        key = self._gathers(function, event)
        run = self._gathering.get(key) if key else None
        if run and runs[run].status is Status.QUEUED and self.made[run].due > event.at and self.made[run].gathers:
            return run
        return None

    def _gathers(self, function: str, event: Sent) -> Key | None:
        control = self.functions[function]
        if event.ts > event.at:
            return None
        if control.debounce:
            return _key(function, "debounce", control.debounce.key, event)
        if control.batch and not (control.batch.if_ and event.data["urgent"]):
            return _key(function, "batch", control.batch.key, event)
        return None

    def note(self, function: str, event: Sent, run: str, *, joined: bool) -> Made:
        """An event has started, or joined, a run."""
        control = self.functions[function]
        self._count(function, event, run)
        made = self.made[run] if joined else self._new(function, event, run)
        if joined and made.gathers == "batch":
            made.events.append(event)
            if control.batch and len(made.events) >= control.batch.max_size:
                made.gathers, made.due = "", 0
            return made
        if joined:
            self._replace(made, event)
        if control.singleton:
            made.place = _key(function, "single", control.singleton.key, event)
            self._places[made.place] = run
        return made

    def _new(self, function: str, event: Sent, run: str) -> Made:
        lane, prio = lane_of(function, self._constraints(function), event.body), event.data["n"]
        made = Made(function, [event], event.at, event.ts if event.ts > event.at else 0, lane, prio)
        self.made[run] = made
        key = self._gathers(function, event)
        if key:
            self._gathering[key], made.gathers = run, key[1]
            made.debounced = key[1] == "debounce"
            made.due = self._due(function, event, made)
        return made

    def _replace(self, made: Made, event: Sent) -> None:
        if made.place and self._places[made.place] in self.made and self.made[self._places[made.place]] is made:
            del self._places[made.place]
        made.events.append(event)
        made.place, made.prio = None, event.data["n"]
        made.lane = lane_of(made.function, self._constraints(made.function), event.body)
        made.due = self._due(made.function, event, made)

    def _due(self, function: str, event: Sent, made: Made) -> int:
        control = self.functions[function]
        if control.debounce:
            longest = made.created + control.debounce.timeout if control.debounce.timeout else 1 << 60
            return min(event.at + control.debounce.period, longest)
        assert control.batch
        return made.created + control.batch.timeout

    def _count(self, function: str, event: Sent, run: str) -> None:
        control = self.functions[function]
        if control.idempotency:
            self._once[function, "once", event.data["n"]] = run, event.at + control.idempotency.period
        if control.rate_limit:
            self._rated.setdefault(_key(function, "rate", control.rate_limit.key, event), []).append(event.at)

    # Lanes.

    def _constraints(self, function: str) -> tuple[Constraint, ...]:
        return constraints_of("app", self.functions[function])

    def scopes(self, lane: str) -> dict[str, int]:
        """What the runs of a lane need slots of, each with its limit. Of functions that share it, the lowest holds."""
        return {scope: int(rule) for scope, rule in self._rules(lane) if rule.isdigit()}

    def throttle(self, lane: str) -> tuple[str, Throttled] | None:
        """The throttle that the runs of a lane start under."""
        for scope, rule in self._rules(lane):
            if rule.startswith("throttle"):
                _, interval, burst = rule.split(" ")
                known = self._throttles.get(scope) or Throttled(float(interval), int(burst))
                if (known.interval, known.burst) != (float(interval), int(burst)):
                    known = Throttled(float(interval), int(burst), known.even)
                self._throttles[scope] = known
                return scope, known
        return None

    def _rules(self, lane: str) -> Iterable[tuple[str, str]]:
        function, *values = lane.split("|")
        for index, one in enumerate(self._constraints(function.removesuffix("!"))):
            value = values[index] if index < len(values) else ""
            yield f"{one.name}|{value}", self._lowest(one)

    def _lowest(self, one: Constraint) -> str:
        if not one.shared:
            return one.rule
        every = [other for function in self.functions for other in self._constraints(function)]
        return str(min(int(other.rule) for other in every if other.name == one.name))

    def began(self, run: str, now: int) -> None:
        """A run begins."""
        made = self.made[run]
        made.begun, made.gathers = True, ""
        found = self.throttle(made.lane)
        if found:
            found[1].start(now)


def _key(function: str, control: str, key: str | None, event: Sent) -> Key:
    return function, control, event.data[key.removeprefix("event.data.")] if key else None
