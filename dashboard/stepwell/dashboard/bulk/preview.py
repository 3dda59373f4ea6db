"""What the page shows that asks whether a bulk action is meant."""

from dataclasses import dataclass
from uuid import uuid4

from stepwell.dashboard.address import with_query
from stepwell.dashboard.bulk.conditions import Condition, conditions_of
from stepwell.dashboard.bulk.query import VERBS, fields_of
from stepwell.dashboard.wording import tone
from stepwell.dashboard.wording.counts import counted
from stepwell.dashboard.wording.moments import Moment, past
from stepwell.dashboard.wording.tone import Tone
from stepwell.platform.bulk.order import BulkOrder
from stepwell.platform.bulk.preview import Preview
from stepwell.platform.bulk.wanted import Wanted
from stepwell.platform.codec import encode
from stepwell.platform.reading.errors import ErrorGroup
from stepwell.platform.reading.runs import RunSummary


@dataclass(frozen=True, slots=True)
class Example:
    """A run that would be steered."""

    id: str
    tone: Tone
    function: str
    created: Moment


@dataclass(frozen=True, slots=True)
class ErrorLine:
    """Errors that are alike, and the list of the runs that have failed so."""

    type: str
    message: str
    count: int
    messages: int
    example: str
    url: str | None


@dataclass(frozen=True, slots=True)
class PreviewView:
    """The page that asks whether it is meant. `fields` are those of its form, `count` how many runs, in words."""

    verb: str
    order: BulkOrder
    conditions: tuple[Condition, ...]
    count: str
    none: bool
    all_runs: bool
    searched: int
    total: int
    exact: bool
    undecided: int
    errors: tuple[ErrorLine, ...]
    failed: int
    examples: tuple[Example, ...]
    fields: tuple[tuple[str, str], ...]
    request: str
    back: str
    from_failed_url: str | None


def preview_view(found: Preview, back: str, now: int, *, payloads: bool) -> PreviewView:
    """What would be done; errors say nothing of payloads to who may not see them."""
    order = found.order
    return PreviewView(
        verb=VERBS[order.action],
        order=order,
        conditions=tuple(conditions_of(order.wanted)),
        count=f"{'' if found.exact else 'at least '}{counted(found.count, 'run')}",
        none=found.exact and not found.count,
        all_runs=order.wanted.is_empty,
        searched=found.searched,
        total=found.total,
        exact=found.exact,
        undecided=found.undecided,
        errors=tuple(_error(one, order.wanted, payloads=payloads) for one in found.errors),
        failed=found.failed,
        examples=tuple(_example(one, now) for one in found.examples),
        fields=fields_of(order),
        request=uuid4().hex,
        back=back,
        from_failed_url=_from_failed(order) if order.action == "rerun" and found.failed else None,
    )


def _error(group: ErrorGroup, wanted: Wanted, *, payloads: bool) -> ErrorLine:
    """With the list of the runs like it, unless that takes an expression besides one that is there already."""
    url = None
    if payloads and wanted.q is None:
        given = {"status": "failed", "function": wanted.function, "app": wanted.app, "event": wanted.event}
        # Of a step that has failed it is the message that names its exception.
        named, told = encode(group.type).decode(), encode(f": {group.type}: ").decode()
        given["q"] = f"error.type == {named} || error.message.contains({told})"
        url = with_query("/runs", given)
    return ErrorLine(group.type, group.message, group.count, group.messages, group.example, url)


def _example(found: RunSummary, now: int) -> Example:
    run = found.run
    return Example(run.id, tone.of_run(run), run.function, past(found.created, now))


def _from_failed(order: BulkOrder) -> str:
    """The same from the steps that have failed, or if that is what is asked for, from the beginning."""
    fields = dict(fields_of(order))
    if fields.pop("from_failed", None) is None:
        fields["from_failed"] = "true"
    return with_query("/bulk/new", fields)
