"""A schedule of a function, as an app registered it."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b

import structlog

from stepwell.functions.protocol import CronManifest, Manifest
from stepwell.functions.triggers import CatchUp, Overlap
from stepwell.platform.cron.expression import check_cron, last_fire, next_fire, rule_of
from stepwell.platform.cron.zone import zone_of
from stepwell.platform.errors import InvalidManifest

GRACE = 60_000
"""Ms of delay that nobody calls missed: so late, a time is fired whatever `catch_up` says."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """When a function runs, and what becomes of times at which it could not.

    Args:
        id: `app/function/` and 8 digits for expression and zone: while these stay, so does what is known of it.
        function: as `app/function`.
        cron: its expression, and the zone whose clocks it is read by.
        jitter, window: in ms.
        overlap, catch_up: see `stepwell.functions.cron`.
    """

    id: str
    function: str
    cron: str
    tz: str
    jitter: int
    overlap: Overlap
    catch_up: CatchUp
    window: int

    @classmethod
    def of(cls, function: str, trigger: CronManifest) -> "Schedule":
        """The schedule of a trigger."""
        digits = blake2b(f"{trigger.cron} {trigger.tz}".encode(), digest_size=4).hexdigest()
        return cls(
            f"{function}/{digits}",
            function,
            trigger.cron,
            trigger.tz,
            trigger.jitter,
            trigger.overlap,
            trigger.catch_up,
            trigger.window,
        )

    @property
    def patience(self) -> int:
        """Ms of delay after which a time is not made up for."""
        return GRACE if self.catch_up == "none" else max(GRACE, self.window)

    @property
    def known(self) -> bool:
        """Whether this machine knows its zone, and understands its expression."""
        return _times(self.cron, self.tz).known

    def prepare(self, now: int) -> None:
        """Finds its next times, so that the questions to come are answered at once."""
        self.due(self.after(now))
        self.after(self.after(now))

    def after(self, when: int) -> int:
        """The first time behind `when`, in ms UTC; 0 when there is none, or this machine does not know the zone."""
        return _times(self.cron, self.tz).after(when)

    def times(self, start: int, end: int) -> Iterator[int]:
        """All times from `start` on and before `end`."""
        found = self.after(start - 1)
        while found and found < end:
            yield found
            found = self.after(found)

    def last(self, until: int) -> int:
        """The last time not behind `until`; 0 when there is none."""
        return last_fire(self.cron, self.tz, until) or 0 if self.known else 0

    def due(self, when: int) -> int:
        """When a time is fired, later by its jitter: never so much that the following one comes first."""
        if not self.jitter or not when:
            return when
        most = min(self.jitter, (self.after(when) or when + self.jitter + 1) - when - 1)
        digest = blake2b(f"{self.id} {when}".encode(), digest_size=8).digest()
        return when + int.from_bytes(digest, "big") % (most + 1)


def check_schedules(manifest: Manifest) -> None:
    """Raises `InvalidManifest` for the first schedule that cannot be understood, or never comes."""
    for function in manifest.functions:
        for trigger in function.triggers:
            if isinstance(trigger, CronManifest):
                try:
                    check_cron(trigger.cron, trigger.tz)
                except ValueError as error:
                    name = f"{manifest.id}/{function.id}"
                    raise InvalidManifest(name, f"cron {trigger.cron!r}", str(error)) from None


class Times:
    """The times of an expression in a zone, those asked for lately remembered: ten thousand may be due at once."""

    __slots__ = ("_cron", "_spans", "_tz", "known")

    def __init__(self, cron: str, tz: str) -> None:
        self._cron = cron
        self._tz = tz
        self._spans: deque[tuple[int, int]] = deque(maxlen=2)
        self.known = self._is_known()

    def _is_known(self) -> bool:
        try:
            rule_of(self._cron)
            zone_of(self._tz)
        except ValueError as error:
            # It was understood by whoever registered it, so by a newer version, or one that knows more zones.
            log = structlog.get_logger("stepwell.cron")
            log.error("schedule_not_understood", cron=self._cron, tz=self._tz, error=str(error))
            return False
        return True

    def after(self, when: int) -> int:
        """The first time behind `when`, 0 when there is none."""
        for start, end in self._spans:
            if start <= when < end:
                return end
        found = next_fire(self._cron, self._tz, when) or 0 if self.known else 0
        self._spans.append((when, found))
        return found


@lru_cache(maxsize=16_384)
def _times(cron: str, tz: str) -> Times:
    return Times(cron, tz)
