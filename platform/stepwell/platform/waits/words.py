"""The words by which events and the waits for them find each other.

A wait compares values of the event with values it knows, at certain paths: `async.data.id == "A-1"`. The name of the
event, the paths and the values make a word. Every event of a name that is waited for is given one word for each set of
paths, so that finding the waits for it costs a look-up, however many there are.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any, TypeAlias

from stepwell.platform.codec import encode
from stepwell.platform.expressions import index_value
from stepwell.platform.expressions.members import follow
from stepwell.platform.expressions.syntax import Part
from stepwell.platform.ids import digest_of

Paths: TypeAlias = tuple[tuple[Part, ...], ...]
"""Paths into an event, in order; none at all when any event of the name may be meant."""


def word_of(name: str, paths: Paths, values: Sequence[str]) -> str:
    """The word of a name and of values, as `index_value` gives them, at paths."""
    return digest_of(encode([name, paths, values]).decode())


class Awaited:
    """Which events may be waited for: names, each with sets of paths.

    Args:
        pairs: a name and a set of paths each; those that come twice count once.
    """

    __slots__ = ("_sets",)

    def __init__(self, pairs: Iterable[tuple[str, Paths]]) -> None:
        ordered = sorted(set(pairs), key=lambda pair: (pair[0], encode(pair[1])))
        self._sets = {
            name: tuple(paths for _, paths in group) for name, group in groupby(ordered, key=lambda pair: pair[0])
        }

    def __contains__(self, name: str) -> bool:
        return name in self._sets

    def sets_of(self, name: str) -> tuple[Paths, ...]:
        """The sets of paths that events of this name are looked up by."""
        return self._sets.get(name, ())

    def words(self, event: Mapping[str, Any]) -> list[str]:
        """The words of an event {id, name, data, ts}; none for a set where it has a list or an object."""
        name = event["name"]
        found: list[str] = []
        for paths in self.sets_of(name):
            values = [index_value(follow(event, path)) for path in paths]
            known = [value for value in values if value is not None]
            if len(known) == len(values):
                found.append(word_of(name, paths, known))
        return found
