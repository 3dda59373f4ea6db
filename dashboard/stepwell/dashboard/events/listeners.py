"""Who starts on events of which names."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from stepwell.functions.protocol import TriggerManifest
from stepwell.platform.matching import Matcher
from stepwell.platform.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class Listener:
    """A function that starts on events of a name, if one of the conditions is true; without any, always."""

    function: str
    conditions: tuple[str, ...]


class Listening:
    """The functions that are registered, by the names of events they start on."""

    def __init__(self, snapshot: Snapshot) -> None:
        triggers = [
            (on.event, (id, on.if_))
            for id in sorted(snapshot.functions)
            for on in snapshot.functions[id].manifest.triggers
            if isinstance(on, TriggerManifest)
        ]
        self._matcher = Matcher(triggers)
        self.named = _named(triggers)

    def to(self, name: str) -> tuple[Listener, ...]:
        """Those that start on events of this name, or may."""
        return _listeners(self._matcher.match(name))


def _named(triggers: Iterable[tuple[str, tuple[str, str]]]) -> dict[str, tuple[Listener, ...]]:
    """Names and wildcards, in order -> who starts on just these."""
    found: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for name, trigger in triggers:
        found[name].append(trigger)
    return {name: _listeners(found[name]) for name in sorted(found)}


def _listeners(triggers: Iterable[tuple[str, str]]) -> tuple[Listener, ...]:
    """The functions of triggers, which come as function and condition."""
    found: dict[str, list[str]] = defaultdict(list)
    for id, condition in triggers:
        found[id].append(condition)
    return tuple(Listener(id, () if "" in found[id] else tuple(found[id])) for id in sorted(found))
