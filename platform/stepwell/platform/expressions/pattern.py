"""What a pattern of `matches()` is made of, as a tree."""

from dataclasses import dataclass
from typing import TypeAlias

Range: TypeAlias = tuple[int, int]


class PatternError(Exception):
    """What is wrong with a pattern, and what to do."""


@dataclass(frozen=True, slots=True)
class Characters:
    """One character out of ranges of code points, whatever its case when `folded`."""

    ranges: tuple[Range, ...]
    folded: bool = False

    def hold(self, character: str) -> bool:
        """Whether a character is among them."""
        variants = {character, character.lower(), character.upper()} if self.folded else (character,)
        return any(low <= ord(each) <= high for each in variants if len(each) == 1 for low, high in self.ranges)


@dataclass(frozen=True, slots=True)
class Other:
    """One character that is not among `characters`."""

    characters: Characters

    def hold(self, character: str) -> bool:
        """Whether a character is not among them."""
        return not self.characters.hold(character)


@dataclass(frozen=True, slots=True)
class Edge:
    """The beginning or the end of the text."""

    end: bool


@dataclass(frozen=True, slots=True)
class Sequence:
    """One after the other."""

    parts: "tuple[Pattern, ...]"


@dataclass(frozen=True, slots=True)
class Either:
    """One of several."""

    options: "tuple[Pattern, ...]"


@dataclass(frozen=True, slots=True)
class Repeat:
    """`least` to `most` times; `None` is without end."""

    part: "Pattern"
    least: int
    most: int | None


Pattern: TypeAlias = Characters | Other | Edge | Sequence | Either | Repeat
