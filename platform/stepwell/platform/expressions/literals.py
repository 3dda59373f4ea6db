"""Numbers and strings, from how they are written to what they are."""

import math
import re
from typing import Final

from stepwell.platform.expressions.errors import Mistake
from stepwell.platform.expressions.tokens import Token

MIN_INT: Final = -(2**63)
MAX_INT: Final = 2**63 - 1
MAX_UINT: Final = 2**64 - 1

ESCAPE: Final = re.compile(
    r"\\(?:[xX](?P<x>[0-9a-fA-F]{2})|u(?P<u>[0-9a-fA-F]{4})|U(?P<U>[0-9a-fA-F]{8})|(?P<o>[0-3][0-7]{2})|(?P<sign>.))"
)
SIGNS: Final = {
    "a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v",
    "\\": "\\", "?": "?", '"': '"', "'": "'", "`": "`",
}  # fmt: skip


def number_of(token: Token, negative: bool) -> int | float:
    """The value of a number, with the sign before it. Raises `Mistake` when it does not fit into 64 bits."""
    if token.kind == "double":
        return _double(token, negative)
    digits = token.text.rstrip("uU")
    size = int(digits, 16 if digits[:2] in ("0x", "0X") else 10)
    value = -size if negative else size
    highest = MAX_INT if digits == token.text else MAX_UINT
    if not MIN_INT <= value <= highest:
        raise Mistake(f"{value} does not fit into 64 bits; write {value}.0 for a double", token.start)
    return value


def _double(token: Token, negative: bool) -> float:
    value = float(token.text)
    if math.isinf(value):
        raise Mistake(f"{token.text} is too large for a double", token.start)
    return -value if negative else value


def string_of(token: Token) -> str:
    """The text a string literal stands for. Raises `Mistake` for an escape that stands for nothing."""
    if token.text[0] in "rR":
        return token.text[2:-1]
    body, first = token.text[1:-1], token.start + 1
    return ESCAPE.sub(lambda found: _unescaped(found, first), body)


def _unescaped(found: re.Match[str], first: int) -> str:
    sign, octal = found["sign"], found["o"]
    if sign is not None:
        if sign not in SIGNS:
            raise Mistake(f"{found[0]} is no escape; write \\\\ for a backslash, or r'…'", first + found.start())
        return SIGNS[sign]
    code = int(octal, 8) if octal is not None else int(found["x"] or found["u"] or found["U"], 16)
    if code > 0x10FFFF or 0xD800 <= code < 0xE000:
        raise Mistake(f"{found[0]} is no character", first + found.start())
    return chr(code)
