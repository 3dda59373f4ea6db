"""What a bulk action is asked for: the filter of the list of runs, and what is to be done to all it holds for."""

from dataclasses import asdict

from pydantic import Field

from stepwell.dashboard.runs.query import SPANS, RunsQuery
from stepwell.platform.api.models.bulk import BulkAction
from stepwell.platform.bulk.order import RATE, BulkOrder
from stepwell.platform.bulk.wanted import Wanted

VERBS = {"cancel": "Cancel", "rerun": "Rerun", "retry": "Retry now"}


class BulkQuery(RunsQuery):
    """An action and its runs. `rate`: of them per second, at most."""

    action: BulkAction
    from_failed: bool = False
    rate: int = RATE
    request: str | None = Field(None, max_length=128)

    def order(self, now: int) -> BulkOrder:
        """As it is carried out; "the last hour" is one that has ended at `now` ms UTC."""
        after = now - SPANS[self.within] if self.within else self.after
        wanted = Wanted(self.status, self.function, self.app, self.event, after, self.before, q=self.q)
        return BulkOrder(self.action, wanted, self.from_failed, self.rate)

    def list_url(self) -> str:
        """The list of these runs."""
        return RunsQuery.model_validate(self.model_dump()).url()


def fields_of(order: BulkOrder) -> tuple[tuple[str, str], ...]:
    """An order as the hidden fields of a form."""
    given = asdict(order.wanted) | {"action": order.action}
    texts = [(name, str(value)) for name, value in given.items() if value is not None]
    return (*texts, ("from_failed", "true")) if order.from_failed else tuple(texts)
