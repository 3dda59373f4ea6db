"""How a pattern is searched for: in time that grows with the text alone, and counted against the budget.

Python's own `re` goes back and tries again, for some patterns exponentially often, and cannot be told to stop. RE2 does
not, but its package google-re2 has no wheels for musl, and none for a new Python until long after its release; without
them it needs a compiler, and Stepwell should install without one. All that is asked here is whether a pattern is found,
without groups, and that is a small machine: the pattern becomes a program of characters and forks, and the set of
places in it that the text so far can have led to is one state. States are made when they are first met, and remembered
with what follows each.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from stepwell.platform.expressions.frame import Frame
from stepwell.platform.expressions.pattern import Edge
from stepwell.platform.expressions.pattern_reader import parse_pattern
from stepwell.platform.expressions.program import Fork, program_of

MAX_REMEMBERED = 10_000
"""Transitions a pattern remembers before it begins anew."""
STEP = 16
"""Characters that are gone through in one step."""


class Automaton:
    """A pattern, ready to be searched for. Raises `PatternError` when it is none or becomes too large."""

    __slots__ = ("_known", "_program", "_start", "_states", "pattern")

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        self._program = program_of(parse_pattern(pattern))
        self._forget()

    def found_in(self, text: str, frame: Frame) -> bool:
        """Whether the pattern is found anywhere in `text`. Raises `OutOfBudget`."""
        frame.spend(len(text) // STEP)
        state = self._start
        if state.verdict is not None:
            return state.verdict
        for character in text:
            following = state.following.get(character)
            state = self._follow(state, character, frame) if following is None else following
            if state.verdict is not None:
                return state.verdict
        return state.found_at_end

    def _forget(self) -> None:
        self._states: dict[frozenset[int], _State] = {}
        self._known = 0
        self._start = self._state(self._reach((0,), at_start=True), at_start=True)

    def _follow(self, state: "_State", character: str, frame: Frame) -> "_State":
        frame.spend(len(state.places) + len(self._program) // 8 + 1)
        if self._known >= MAX_REMEMBERED:
            self._forget()
        self._known += 1
        moved = [place + 1 for place in state.places if self._holds(place, character)]
        # 0: it may also begin here.
        places = self._reach((0, *moved), at_start=False)
        following = self._states.get(places) or self._state(places, at_start=False)
        state.following[character] = following
        return following

    def _holds(self, place: int, character: str) -> bool:
        instruction = self._program[place]
        return not isinstance(instruction, (Fork, Edge)) and instruction.hold(character)

    def _state(self, places: frozenset[int], at_start: bool) -> "_State":
        found = len(self._program)
        state = _State(
            places=tuple(sorted(places - {found})),
            verdict=True if found in places else None if places else False,
            found_at_end=found in self._reach(places, at_start=at_start, at_end=True),
        )
        if not at_start:
            self._states[places] = state
        return state

    def _reach(self, places: Iterable[int], at_start: bool, at_end: bool = False) -> frozenset[int]:
        """The characters, the ends and the success that can be got to without taking a character."""
        seen: set[int] = set()
        pending = list(places)
        while pending:
            place = pending.pop()
            if place not in seen:
                seen.add(place)
                pending.extend(self._passes(place, at_start, at_end))
        return frozenset(place for place in seen if self._stays(place))

    def _passes(self, place: int, at_start: bool, at_end: bool) -> tuple[int, ...]:
        instruction = self._program[place] if place < len(self._program) else None
        if isinstance(instruction, Fork):
            return instruction.targets
        open_edge = isinstance(instruction, Edge) and (at_end if instruction.end else at_start)
        return (place + 1,) if open_edge else ()

    def _stays(self, place: int) -> bool:
        if place == len(self._program):
            return True
        instruction = self._program[place]
        return not isinstance(instruction, Fork) and instruction != Edge(end=False)


@dataclass(slots=True, eq=False)
class _State:
    """The places the text so far can have led to. `verdict` is known when no further text can change it."""

    places: tuple[int, ...]
    verdict: bool | None
    found_at_end: bool
    following: "dict[str, _State]" = field(default_factory=dict[str, "_State"])
