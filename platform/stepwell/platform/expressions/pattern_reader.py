"""From the text of a pattern to its tree.

Patterns are a part of RE2's syntax that means the same: characters, `.`, classes, `\\d \\w \\s`, groups, `|`,
`* + ? {m,n}` (with or without a `?` behind), `^ $`, and the flags `(?i)` and `(?s)`.
"""

import re
from collections.abc import Callable
from typing import Final

from stepwell.platform.expressions.pattern import (
    Characters,
    Edge,
    Either,
    Other,
    Pattern,
    PatternError,
    Range,
    Repeat,
    Sequence,
)

LAST = 0x10FFFF
MAX_REPEATS = 1_000
MAX_DEPTH = 32

DIGITS: Final[tuple[Range, ...]] = ((48, 57),)
SPACES: Final[tuple[Range, ...]] = ((9, 10), (12, 13), (32, 32))
WORDS: Final[tuple[Range, ...]] = ((48, 57), (65, 90), (95, 95), (97, 122))
NO_LINE: Final[tuple[Range, ...]] = ((0, 9), (11, LAST))
CLASSES: Final = {"d": DIGITS, "s": SPACES, "w": WORDS}
ESCAPED: Final = {"a": 7, "f": 12, "n": 10, "r": 13, "t": 9, "v": 11}
COUNT: Final = re.compile(r"\{([0-9]{1,4})(?:(,)([0-9]{0,4}))?\}")
GROUP: Final = re.compile(r"\?P?<[A-Za-z_][A-Za-z0-9_]*>")
FLAGS: Final = re.compile(r"\?([is]*)(?:-([is]+))?([:)])")
CODE: Final = re.compile(r"x(?:([0-9a-fA-F]{2})|\{([0-9a-fA-F]{1,6})\})")


def parse_pattern(text: str) -> Pattern:
    """The tree of a pattern. Raises `PatternError`."""
    return _Reader(text).whole()


class _Reader:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._depth = 0
        self._flags: frozenset[str] = frozenset()

    def whole(self) -> Pattern:
        pattern = self._either()
        if self._at < len(self._text):
            raise self._error('")" closes no group; write \\) for the character')
        return pattern

    def _either(self) -> Pattern:
        options = [self._sequence()]
        while self._take("|"):
            options.append(self._sequence())
        return options[0] if len(options) == 1 else Either(tuple(options))

    def _sequence(self) -> Pattern:
        parts: list[Pattern] = []
        while self._at < len(self._text) and self._text[self._at] not in "|)":
            part = self._atom()
            if part is not None:
                parts.append(self._repeated(part))
        return Sequence(tuple(parts))

    def _repeated(self, part: Pattern) -> Pattern:
        bounds = self._bounds()
        if bounds is None:
            return part
        # How much it prefers to take makes no difference to whether it matches.
        self._take("?")
        if self._bounds() is not None:
            raise self._error("a repetition cannot be repeated; put the first in (…)")
        return Repeat(part, *bounds)

    def _bounds(self) -> tuple[int, int | None] | None:
        for sign, bounds in (("*", (0, None)), ("+", (1, None)), ("?", (0, 1))):
            if self._take(sign):
                return bounds
        return self._counted()

    def _counted(self) -> tuple[int, int | None] | None:
        found = self._match(COUNT)
        if found is None:
            return None
        least = int(found[1])
        most = (int(found[3]) if found[3] else None) if found[2] else least
        if max(least, most or 0) > MAX_REPEATS or (most is not None and most < least):
            raise self._error(f"{found[0]} must go upwards, to at most {MAX_REPEATS:,}")
        return least, most

    def _atom(self) -> Pattern | None:
        character = self._next()
        if character in "*+?{":
            raise self._error(f'"{character}" repeats nothing; write \\{character} for the character')
        readers: dict[str, Callable[[], Pattern | None]] = {
            "(": self._group,
            "[": self._class,
            "\\": self._escape,
            ".": lambda: Characters(((0, LAST),) if "s" in self._flags else NO_LINE),
            "^": lambda: Edge(end=False),
            "$": lambda: Edge(end=True),
        }
        return readers[character]() if character in readers else self._characters(ord(character))

    def _group(self) -> Pattern | None:
        """A group; `None` for one that only sets flags for what follows."""
        before = self._flags
        if self._take("?", ahead=True) and self._match(GROUP) is None and self._set_flags() == ")":
            return None
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise self._error(f"it has groups in more than {MAX_DEPTH} levels")
        inside = self._either()
        if not self._take(")"):
            raise self._error('a group has no ")"')
        self._depth -= 1
        self._flags = before
        return inside

    def _set_flags(self) -> str:
        found = self._match(FLAGS)
        if found is None:
            raise self._error("(? may be followed by :, by a flag i or s, or by <name>; there is no looking around")
        self._flags = self._flags.union(found[1]).difference(found[2] or "")
        return found[3]

    def _escape(self) -> Pattern:
        character = self._next()
        if character in "Az":
            return Edge(end=character == "z")
        if character.lower() in CLASSES:
            inside = Characters(CLASSES[character.lower()])
            return Other(inside) if character.isupper() else inside
        return self._characters(self._escaped(character))

    def _escaped(self, character: str) -> int:
        if character == "x":
            return self._code()
        if character in ESCAPED:
            return ESCAPED[character]
        if character.isalnum() or not character.isascii():
            raise self._error(f"\\{character} is not supported")
        return ord(character)

    def _code(self) -> int:
        self._at -= 1
        found = self._match(CODE)
        if found is None or (code := int(found[1] or found[2], 16)) > LAST:
            raise self._error("\\x is followed by two hexadecimal digits, or by {…}")
        return code

    def _class(self) -> Pattern:
        negated = self._take("^")
        ranges = list(self._ranges())
        while not self._take("]"):
            ranges += self._ranges()
        inside = Characters(tuple(ranges), "i" in self._flags)
        return Other(inside) if negated else inside

    def _ranges(self) -> tuple[Range, ...]:
        first = self._member()
        if not isinstance(first, int):
            return first
        if not self._range_follows():
            return ((first, first),)
        self._at += 1
        last = self._member()
        if not isinstance(last, int) or last < first:
            raise self._error("a range in [ ] goes upwards from one character to another")
        return ((first, last),)

    def _range_follows(self) -> bool:
        return self._take("-", ahead=True) and self._text[self._at + 1 : self._at + 2] not in ("", "]")

    def _member(self) -> int | tuple[Range, ...]:
        character = self._next()
        if character == "[" and self._take(":", ahead=True):
            raise self._error("classes such as [:alpha:] are not supported; write a-zA-Z")
        if character != "\\":
            return ord(character)
        character = self._next()
        if character.lower() in CLASSES:
            ranges = CLASSES[character.lower()]
            return _without(ranges) if character.isupper() else ranges
        return self._escaped(character)

    def _characters(self, code: int) -> Characters:
        return Characters(((code, code),), "i" in self._flags)

    def _next(self) -> str:
        if self._at == len(self._text):
            raise self._error("it breaks off")
        self._at += 1
        return self._text[self._at - 1]

    def _take(self, character: str, ahead: bool = False) -> bool:
        """Whether `character` is next; passes it, unless only looking `ahead`."""
        there = self._text.startswith(character, self._at)
        self._at += there and not ahead
        return there

    def _match(self, what: re.Pattern[str]) -> re.Match[str] | None:
        found = what.match(self._text, self._at)
        self._at = found.end() if found else self._at
        return found

    def _error(self, problem: str) -> PatternError:
        return PatternError(f"in the pattern, after {self._text[: self._at]!r}: {problem}")


def _without(ranges: tuple[Range, ...]) -> tuple[Range, ...]:
    edges = [-1, *(edge for low, high in ranges for edge in (low, high)), LAST + 1]
    return tuple((low + 1, high - 1) for low, high in zip(edges[::2], edges[1::2], strict=True) if low + 1 < high)
