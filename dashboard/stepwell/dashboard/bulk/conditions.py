"""The filter of a bulk action, as people read it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from stepwell.dashboard.wording.moments import past
from stepwell.platform.bulk.wanted import Wanted

BEFORE = "Created before"


@dataclass(frozen=True, slots=True)
class Condition:
    """One part of a filter: what, and which. `code` when it is an expression."""

    name: str
    value: str
    code: bool = False


def conditions_of(wanted: Wanted, *, payloads: bool = True) -> Iterator[Condition]:
    """Its parts; the expression is hidden from who may not see payloads."""
    names = {"status": "Status", "function": "Function", "app": "App", "event": "Event", "q": "Expression"}
    for name, label in names.items():
        value = getattr(wanted, name)
        if value is not None:
            hidden = name == "q" and not payloads
            yield Condition(label, "hidden from your key" if hidden else str(value), name == "q" and payloads)
    if wanted.after is not None:
        yield Condition("Created from", past(wanted.after, wanted.after).absolute)
    if wanted.before is not None:
        yield Condition(BEFORE, past(wanted.before, wanted.before).absolute)


def in_brief(conditions: Sequence[Condition]) -> str:
    """The same in a line, without the end of the time: what a job does is done to runs that there were."""
    return ", ".join(one.value for one in conditions if one.name != BEFORE) or "all runs"
