"""JSON for reading: indented, and told apart by what is a key, a text, or another value.

It is the recorded text that is laid out anew, token by token, and nothing is parsed: numbers keep all their digits,
keys their order.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from stepwell.dashboard.wording.sizes import size

INLINE = 64 << 10
"""Bytes of a payload above which a page links to it."""
INDENT = "  "
_TOKEN = re.compile(
    r'(?P<key>"(?:[^"\\]|\\.)*")\s*:|(?P<text>"(?:[^"\\]|\\.)*")|(?P<sign>[][{},])|(?P<value>[^\s"{}[\],:]+)', re.DOTALL
)
_OPEN, _CLOSED = "{[", "}]"


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of laid out JSON. `kind`: key, text, value, or empty for what is between them."""

    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Payload:
    """A JSON payload on a page. `tokens` is `None` when it is too large; it is then only behind `link`.

    `link` is `None` when it is hidden from who looks.
    """

    size: str
    link: str | None
    tokens: tuple[Token, ...] | None

    def without_content(self) -> "Payload":
        """The same for those who may not see payloads: only how large it is is told."""
        return replace(self, link=None, tokens=None)


def payload(json: bytes, link: str, room: int = INLINE) -> Payload:
    """A payload that may take up to `room` bytes of its page; `link` is where all of it can be had."""
    fits = len(json) <= min(room, INLINE)
    return Payload(size(len(json)), link, tuple(laid_out(json.decode())) if fits else None)


def laid_out(json: str) -> Iterator[Token]:
    """Well-formed JSON as the tokens of its indented form."""
    between, depth, opened = "", 0, False
    for match in _TOKEN.finditer(json):
        kind, text = str(match.lastgroup), match[match.lastgroup or 0]
        if kind == "sign" and text in _CLOSED:
            depth -= 1
            between += text if opened else f"\n{INDENT * depth}{text}"
            opened = False
            continue
        if opened:
            between += f"\n{INDENT * depth}"
        opened = kind == "sign" and text in _OPEN
        if kind == "sign":
            depth += opened
            between += text if opened else f",\n{INDENT * depth}"
            continue
        if between:
            yield Token("", between)
        between = ": " if kind == "key" else ""
        yield Token(kind, text)
    if between:
        yield Token("", between)
