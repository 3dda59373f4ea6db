"""Texts and ids that have to be short, or to begin a sentence."""

SHORT = 8
"""Characters of an id: its end, since ids of one time begin alike."""


def cut(text: str, most: int) -> str:
    """The first `most` characters, and whether there are more."""
    return text if len(text) <= most else f"{text[:most]}…"


def capital(text: str) -> str:
    """The same with a large first letter."""
    return text[:1].upper() + text[1:]


def short(id: str) -> str:
    """The end of an id, which people tell it by."""
    return id[-SHORT:]
