"""Which runs a bulk job is for, as its maker wrote it."""

from dataclasses import dataclass, fields, replace
from typing import Any, Self

from stepwell.platform.reading.filter import RunFilter
from stepwell.platform.reading.where import where_of_run
from stepwell.platform.records import Status


@dataclass(frozen=True, slots=True)
class Wanted:
    """A filter that can be written down. As `RunFilter`, but for `q`, the text of an expression."""

    status: Status | None = None
    function: str | None = None
    app: str | None = None
    event: str | None = None
    after: int | None = None
    before: int | None = None
    id: str | None = None
    event_id: str | None = None
    q: str | None = None

    @property
    def is_empty(self) -> bool:
        """Whether every run up to some time is wanted."""
        return replace(self, before=None) == Wanted()

    def until(self, before: int) -> "Wanted":
        """The same without runs that were created at or after a time, in ms UTC."""
        return replace(self, before=before if self.before is None else min(before, self.before))

    def filter(self, *, ended: bool | None = None) -> RunFilter:
        """To read by; only runs that have `ended`, or have not, if so. Raises `ExpressionError`."""
        where = None if self.q is None else where_of_run(self.q)
        ids = self.id and self.id.upper(), self.event_id and self.event_id.upper()
        return RunFilter(
            self.status, self.function, self.app, self.event, self.after, self.before, *ids, where, ended=ended
        )

    def json(self) -> dict[str, Any]:
        """What is given of it."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: value for name, value in values.items() if value is not None}

    @classmethod
    def of_json(cls, values: dict[str, Any]) -> Self:
        """What `json` has given."""
        wanted = cls(**values)
        return wanted if wanted.status is None else replace(wanted, status=Status(wanted.status))
