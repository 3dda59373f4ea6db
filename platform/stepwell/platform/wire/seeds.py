"""Ids of events whose sender gives them none, but a seed: sent again with it, they are the same events."""

import binascii
from base64 import b64decode
from collections.abc import Iterator

from ulid import ULID

HEADER = b"x-inngest-event-id-seed"
ENTROPY = 10
"""Bytes of it in a seed; the number of an event, from 1, is added to the last 4 of them."""
_WORD = 1 << 32


def seeded(seed: bytes) -> Iterator[str]:
    """The id of each event of a request, by its seed, `<ms UTC>,<entropy in base64>`; none when it is no seed."""
    ms, _, encoded = seed.partition(b",")
    try:
        entropy = b64decode(encoded, validate=True)
    except binascii.Error:
        return
    if not ms.isdigit() or len(ms) > 18 or int(ms) >= 1 << 48 or len(entropy) != ENTROPY:
        return
    head, last = int(ms).to_bytes(6, "big") + entropy[:-4], int.from_bytes(entropy[-4:], "big")
    number = 1
    while True:
        yield str(ULID.from_bytes(head + ((last + number) % _WORD).to_bytes(4, "big")))
        number += 1
