"""Ids of steps in the SDK protocol: 40 hexadecimal digits."""

import re
from hashlib import sha1

_ID = re.compile(r"[0-9a-f]{40}")


def wire_id(key: str) -> str:
    """What a step of this key is called; a key that is such an id itself stays as it is."""
    if _ID.fullmatch(key):
        return key
    return sha1(key.encode(), usedforsecurity=False).hexdigest()
