"""The words of an expression, with their places."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal, cast

from stepwell.platform.expressions.errors import Mistake

Kind = Literal["int", "double", "string", "word", "sign", "end"]

TOKEN: Final = re.compile(
    r"""
      (?P<space>  (?: [ \t\r\n\f] | //[^\n]* )+ )
    | (?P<double> [0-9]*\.[0-9]+ (?:[eE][+-]?[0-9]+)? | [0-9]+[eE][+-]?[0-9]+ )
    | (?P<int>    (?: 0[xX][0-9a-fA-F]+ | [0-9]+ ) [uU]? )
    | (?P<string> [rR] (?: "[^"\n]*" | '[^'\n]*' ) | "(?:[^"\\\n]|\\.)*" | '(?:[^'\\\n]|\\.)*' )
    | (?P<word>   [A-Za-z_][A-Za-z0-9_]* )
    | (?P<sign>   && | \|\| | [=!<>]= | [-+*/%<>!?:.,()\[\]{}] )
    """,
    re.VERBOSE,
)

HINTS: Final = {
    "&": 'write "&&"',
    "|": 'write "||"',
    "=": 'write "==" to compare',
    '"': "this string has no end on its line; close it with a quote",
    "'": "this string has no end on its line; close it with a quote",
    "“": "use plain quotes",
    "”": "use plain quotes",
}


@dataclass(frozen=True, slots=True)
class Token:
    """A word, literal or sign. `start` and `end` are positions in the text, from 0."""

    kind: Kind
    text: str
    start: int
    end: int

    def is_sign(self, *texts: str) -> bool:
        """Whether it is one of these signs, or the word `in`."""
        return self.text in texts and (self.kind == "sign" or self.text == "in")

    def __str__(self) -> str:
        return "the end" if self.kind == "end" else f'"{self.text}"'


def tokens_of(text: str) -> Iterator[Token]:
    """The tokens of an expression; the last one is its end. Raises `Mistake` for what is no token."""
    position = 0
    while position < len(text):
        found = TOKEN.match(text, position)
        if found is None:
            raise Mistake(_hint(text[position]), position)
        position = found.end()
        if found.lastgroup != "space":
            yield Token(cast(Kind, found.lastgroup), found[0], found.start(), position)
    yield Token("end", "", len(text), len(text))


def _hint(character: str) -> str:
    return HINTS.get(character, f"{character!r} means nothing here; take it out, or put it in quotes")
