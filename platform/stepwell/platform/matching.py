"""Which functions an event starts: by its name, or by a wildcard over the end of it."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Generic, TypeVar

T = TypeVar("T")
REMEMBERED_NAMES = 10_000


class Matcher(Generic[T]):
    """An index of triggers: `order.placed` matches that name, `order.*` every name that begins with `order.`,
    `app/*` every name that begins with `app/`.

    Looking up costs one dictionary access for a name seen before, and one for each `.` or `/` in a new one.
    """

    __slots__ = ("_exact", "_prefixes", "_remembered")

    def __init__(self, triggers: Iterable[tuple[str, T]]) -> None:
        self._exact: dict[str, list[T]] = defaultdict(list)
        self._prefixes: dict[str, list[T]] = defaultdict(list)
        self._remembered: dict[str, tuple[T, ...]] = {}
        for pattern, target in triggers:
            if pattern.endswith("*"):
                self._prefixes[pattern[:-1]].append(target)
            else:
                self._exact[pattern].append(target)

    def match(self, name: str) -> tuple[T, ...]:
        """Every target whose trigger matches `name`, once each: the whole name first, then the shortest wildcard."""
        known = self._remembered.get(name)
        if known is not None:
            return known
        if len(self._remembered) >= REMEMBERED_NAMES:
            self._remembered.clear()
        found = tuple(dict.fromkeys([*self._exact.get(name, ()), *self._by_prefix(name)]))
        self._remembered[name] = found
        return found

    def _by_prefix(self, name: str) -> Iterable[T]:
        if not self._prefixes:
            return
        for position, character in enumerate(name, start=1):
            if character in "./":
                yield from self._prefixes.get(name[:position], ())
