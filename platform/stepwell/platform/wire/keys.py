"""Keys of steps, here and in the SDK protocol.

An SDK names a step by the SHA-1 of its id, or of "id:1", "id:2" for repeats. Those texts are our keys, so that people
see the id they have given.
"""

import re
from hashlib import sha1

OPAQUE = re.compile(r"[0-9a-f]{40}")
LONGEST = 256
"""Bytes of a key."""


def wire_id(key: str) -> str:
    """How an SDK names the step of a key."""
    return key if OPAQUE.fullmatch(key) else _hashed(key)


def key_of(id: str, *named: str) -> str:
    """The key of the step that an SDK calls `id`: the first of the names that it is made of, else the id itself."""
    fitting = (name for name in named if len(name.encode(errors="replace")) <= LONGEST and _hashed(name) == id)
    return next((name for name in fitting if not OPAQUE.fullmatch(name)), id)


def _hashed(text: str) -> str:
    # No secret: the protocol's way to name things.
    return sha1(text.encode(errors="surrogatepass"), usedforsecurity=False).hexdigest()
