"""Which runs are wanted: for lists, and for whatever is done to all runs of a list."""

from dataclasses import dataclass

from stepwell.platform.expressions import Expression
from stepwell.platform.ids import encode_id
from stepwell.platform.records import RunRecord, Status

_LAST_MS = (1 << 48) - 1
_BEHIND = "~"
"""Comes after every character of an id."""


@dataclass(frozen=True, slots=True)
class RunFilter:
    """Which runs are wanted; every part that is given has to hold.

    Args:
        status: their status.
        function: as `app/function`.
        app: id of an app.
        event: name of the event that started them.
        after: created at or after this time, ms UTC.
        before: created before this time, ms UTC.
        id: what their ids begin with.
        event_id: id of an event that started them, or has become part of them.
        where: an expression that is true of them; see `where.py`.
        ended: whether they have ended.
    """

    status: Status | None = None
    function: str | None = None
    app: str | None = None
    event: str | None = None
    after: int | None = None
    before: int | None = None
    id: str | None = None
    event_id: str | None = None
    where: Expression | None = None
    ended: bool | None = None

    def allows_function(self, function: str) -> bool:
        """Whether runs of `function` may be wanted."""
        return self.function in (None, function) and (self.app is None or function.startswith(f"{self.app}/"))

    def allows(self, run: RunRecord) -> bool:
        """Whether all that a header tells is as wanted."""
        fits = self.status in (None, run.status) and self.ended in (None, run.status.ended)
        return fits and self.allows_function(run.function)

    @property
    def is_indexed(self) -> bool:
        """Whether all runs of the indexes that it is looked up in are wanted: their number is that of the wanted."""
        others = (self.function, self.app, self.event, self.event_id, self.where)
        if any(other is not None for other in others):
            return False
        match self.status:
            case Status.FAILED | Status.CANCELLED:
                return self.ended is not False
            case None:
                return self.ended is not True
            case _:
                return False

    @property
    def oldest(self) -> str:
        """No id that is wanted comes before it; empty when any may."""
        after = "" if self.after is None else _first_id(self.after)
        return max(after, self.id or "")

    @property
    def end(self) -> str:
        """Every id that is wanted comes before it."""
        before = _BEHIND if self.before is None else _first_id(self.before)
        return min(before, f"{self.id or ''}{_BEHIND}")


def _first_id(ms: int) -> str:
    return encode_id(max(0, min(ms, _LAST_MS)), 0, 0)
