"""Identifiers: ULIDs (https://github.com/ulid/spec) that also tell the partition they live in.

48 bits are the time in ms, 10 bits the partition, 70 bits random or a hash. Those of runs are a hash of event and
function, so that creating a run twice creates it once.
"""

import random
import re
from base64 import urlsafe_b64encode
from functools import lru_cache
from hashlib import blake2b

CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_HEX32 = "0123456789ABCDEFGHIJKLMNOPQRSTUV"
_PAIRS = tuple(first + second for first in CROCKFORD for second in CROCKFORD)
_FROM_CROCKFORD = str.maketrans(CROCKFORD, _HEX32)
_PATTERN = re.compile(rf"[0-7][{CROCKFORD}]{{25}}")
_TAIL = 70
_TAIL_MASK = (1 << _TAIL) - 1
MAX_PARTITIONS = 1024


def encode_id(ms: int, partition: int, tail: int) -> str:
    """The ULID of a time in ms, a partition below 1,024 and 70 bits of tail."""
    return _time(ms) + _PAIRS[partition] + _tail(tail & _TAIL_MASK)


@lru_cache(maxsize=64)
def _time(ms: int) -> str:
    # Many ids are made within one millisecond.
    return "".join([_PAIRS[(ms >> shift) & 1023] for shift in (40, 30, 20, 10, 0)])


def _tail(bits: int) -> str:
    # Written out, for every event and run comes by here: half the price of a loop.
    pairs = _PAIRS
    return (
        f"{pairs[bits >> 60]}{pairs[bits >> 50 & 1023]}{pairs[bits >> 40 & 1023]}{pairs[bits >> 30 & 1023]}"
        f"{pairs[bits >> 20 & 1023]}{pairs[bits >> 10 & 1023]}{pairs[bits & 1023]}"
    )


def new_id(ms: int, partition: int = 0) -> str:
    """A new identifier of the time `ms` that lives in `partition`."""
    # Unique, and no secret: what is read by an id is guarded by keys. Seeded anew in every process, also after a fork.
    return _time(ms) + _PAIRS[partition] + _tail(random.getrandbits(_TAIL))


def run_id(event_id: str, function: str, partition: int) -> str:
    """The id of the run that `event_id` starts of `function` (as `app/function`), at home in `partition`."""
    digest = blake2b(f"{event_id} {function}".encode(), digest_size=9).digest()
    return event_id[:10] + _PAIRS[partition] + _tail(int.from_bytes(digest, "big") & _TAIL_MASK)


def named_id(ms: int, name: str, partition: int) -> str:
    """The identifier of the time `ms` for a `name` of its own, that lives in `partition`: always the same."""
    digest = blake2b(name.encode(), digest_size=9).digest()
    return _time(ms) + _PAIRS[partition] + _tail(int.from_bytes(digest, "big") & _TAIL_MASK)


def is_id(text: str) -> bool:
    """Whether `text` has the form of an identifier."""
    return _PATTERN.fullmatch(text) is not None


def _number(identifier: str) -> int:
    return int(identifier.translate(_FROM_CROCKFORD), 32)


def time_of(identifier: str) -> int:
    """The time in ms an identifier carries."""
    return _number(identifier) >> 80


def partition_of(identifier: str) -> int:
    """The partition an identifier lives in."""
    return (_number(identifier) >> _TAIL) & (MAX_PARTITIONS - 1)


def digest_of(text: str) -> str:
    """20 characters (120 bits of BLAKE2b, base64url) that stand for a sender's event id of any length."""
    return urlsafe_b64encode(blake2b(text.encode(), digest_size=15).digest()).decode()


def home_of(text: str, partitions: int) -> int:
    """The partition, below `partitions`, that `text` hashes to."""
    if partitions == 1:
        return 0
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big") % partitions
