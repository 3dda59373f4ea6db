"""Which ids and event names are allowed."""

from __future__ import annotations

import re
from typing import Final

from stepwell.functions.errors import InvalidId, InvalidTrigger

ID: Final = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"
ID_CHARACTERS: Final = 64
VERSION: Final = r"[!-~]{1,128}"
EVENT_NAME_BYTES: Final = 512
STEP_ID_BYTES: Final = 256


def check_id(kind: str, id: str) -> str:
    """Gives the id of an app or function back.

    Raises:
        InvalidId: it is not 1 to 64 of A-Z a-z 0-9 . _ - that begin with a letter or digit.
    """
    if not isinstance(id, str) or not re.fullmatch(ID, id):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise InvalidId(
            f"{kind} id {id!r} is not allowed: use 1 to 64 of A-Z a-z 0-9 . _ - and begin with a letter or digit"
        )
    return id


def check_event_name(name: str) -> str:
    """Gives the name an event trigger listens to back; its last segment may be `*`.

    Raises:
        InvalidTrigger: it is empty, longer than 512 bytes, cannot be written as UTF-8, or has a `*` elsewhere than
            behind a dot or slash at its end.
    """
    if not isinstance(name, str) or not name.strip():  # pyright: ignore[reportUnnecessaryIsInstance]
        raise InvalidTrigger(f'an event name is text that is not empty, such as "order.placed", not {name!r}')
    size = bytes_of(name)
    if size is None:
        raise InvalidTrigger(f"{name[:40]!r} is no text that can be written as UTF-8: it has half a character")
    if size > EVENT_NAME_BYTES:
        raise InvalidTrigger(f"an event name has at most {EVENT_NAME_BYTES} bytes; {name[:40]!r}… has {size}")
    if len(name.split()) == 5 and "*" in name:
        raise InvalidTrigger(f'{name!r} looks like a schedule: write on=cron("{name}")')
    if "*" in name and ("*" in name[:-2] or not name.endswith((".*", "/*")) or len(name) < 3):
        raise InvalidTrigger(
            f'{name!r}: a wildcard stands alone at the end, after a dot or slash, as in "order.*" and "app/*"'
        )
    return name


def bytes_of(text: str) -> int | None:
    """How many bytes a text has as UTF-8; None when it cannot be written so."""
    try:
        return len(text.encode())
    except UnicodeEncodeError:
        return None
