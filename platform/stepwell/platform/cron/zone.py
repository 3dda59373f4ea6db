"""Time zones: from the time on their clocks to moments, where clocks are put forward or back too."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Literal
from zoneinfo import ZoneInfo

EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - the time on a clock
SECOND = timedelta(seconds=1)

Kind = Literal["once", "skipped", "repeated"]


def clock_of(seconds: int) -> datetime:
    """Seconds since 1970 as a clock of UTC shows them."""
    return EPOCH + timedelta(seconds=seconds)


def seconds_of(clock: datetime) -> int:
    """The same the other way round."""
    return (clock - EPOCH) // SECOND


@dataclass(frozen=True, slots=True)
class Reading:
    """A time on the clocks of a zone, and the moments it stands for, in seconds since 1970.

    Args:
        kind: whether clocks show it once, never (they were put forward over it), or twice (they were put back).
        first: the moment; of two the first one; of none that at which the clocks were put forward.
        second: of two the second one, otherwise the same.
        shift: the moment at which the clocks were changed, when they show it never or twice; otherwise 0.
        resumes: what they showed from then on.
    """

    kind: Kind
    first: int
    second: int
    shift: int = 0
    resumes: datetime = EPOCH


class Zone:
    """A time zone by its name. Raises `ValueError` when there is none of it."""

    __slots__ = ("_zone",)

    def __init__(self, name: str) -> None:
        try:
            self._zone = ZoneInfo(name)
        except (KeyError, ValueError, OSError):
            raise ValueError(f"there is no time zone {name!r} on this machine") from None

    def clock(self, moment: int) -> tuple[datetime, bool]:
        """What the clocks show, and whether they do so for the second time."""
        aware = datetime.fromtimestamp(moment, self._zone)
        return aware.replace(tzinfo=None, fold=0), bool(aware.fold)

    def reading(self, clock: datetime) -> Reading:
        """The moments a time on the clocks stands for."""
        first, second = (seconds_of(clock) - self._offset(clock, fold) for fold in (0, 1))
        if first == second:
            return Reading("once", first, first)
        # PEP 495: with fold 0 the offset of before the change counts, with fold 1 the one after it.
        early, late = sorted((first, second))
        shift = self._shift(early, late)
        resumes, _ = self.clock(shift)
        if first < second:
            return Reading("repeated", first, second, shift, resumes)
        return Reading("skipped", shift, shift, shift, resumes)

    def _offset(self, clock: datetime, fold: int) -> int:
        offset = clock.replace(tzinfo=self._zone, fold=fold).utcoffset()
        assert offset is not None
        return offset // SECOND

    def _shift(self, early: int, late: int) -> int:
        """The first moment behind `early` with the offset of `late`."""
        after = self._offset_at(late)
        while late - early > 1:
            middle = (early + late) // 2
            if self._offset_at(middle) == after:
                late = middle
            else:
                early = middle
        return late

    def _offset_at(self, moment: int) -> timedelta | None:
        return datetime.fromtimestamp(moment, UTC).astimezone(self._zone).utcoffset()


@lru_cache(maxsize=1024)
def zone_of(name: str) -> Zone:
    """The zone of a name. Raises `ValueError` when there is none."""
    return Zone(name)
