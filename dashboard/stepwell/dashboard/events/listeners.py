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
        self.names = _names((name, id) for name, (id, _) in triggers)

    def to(self, name: str) -> tuple[Listener, ...]:
        """Those that start on events of this name, or may."""
        found: dict[str, list[str]] = defaultdict(list)
        for id, condition in self._matcher.match(name):
            found[id].append(condition)
        return tuple(Listener(id, () if "" in found[id] else tuple(found[id])) for id in sorted(found))


def _names(pairs: Iterable[tuple[str, str]]) -> dict[str, tuple[str, ...]]:
    """Names and wildcards -> ids of the functions that start on them, both in order."""
    found: dict[str, list[str]] = defaultdict(list)
    for name, id in pairs:
        found[name].append(id)
    return {name: tuple(dict.fromkeys(found[name])) for name in sorted(found)}
