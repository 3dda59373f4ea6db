"""How often somebody may try a key before they have to wait."""

from collections import deque
from ipaddress import IPv6Address, ip_address

PERIOD = 60_000
"""Ms in which failures are counted."""
PER_ADDRESS = 10
IN_ALL = 100


class Attempts:
    """The failed attempts of the last minute: no more than `IN_ALL` are ever kept, for then nobody may try."""

    def __init__(self) -> None:
        self._failures: deque[tuple[int, str]] = deque()

    def wait(self, address: str, now: int) -> int:
        """Ms until `address` may try again; 0 when it may at once."""
        while self._failures and self._failures[0][0] <= now - PERIOD:
            self._failures.popleft()
        everybody = [at for at, _ in self._failures]
        own = [at for at, other in self._failures if other == _group(address)]
        return max(_until(everybody, IN_ALL, now), _until(own, PER_ADDRESS, now))

    def failed(self, address: str, now: int) -> None:
        """Counts a failure of an address that might try."""
        self._failures.append((now, _group(address)))


def _until(failures: list[int], most: int, now: int) -> int:
    return failures[-most] + PERIOD - now if len(failures) >= most else 0


def _group(address: str) -> str:
    """Who has one address of IPv6 has the 2^64 around it."""
    try:
        ip = ip_address(address)
    except ValueError:
        return address
    return str(IPv6Address(int(ip) >> 64 << 64)) if isinstance(ip, IPv6Address) else address
