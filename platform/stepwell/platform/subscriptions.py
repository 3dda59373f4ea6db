"""What an event starts: targets by the name of the event, and by a condition where their trigger has one."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Generic, TypeVar

import structlog

from stepwell.functions.protocol import FunctionManifest, Manifest, TriggerManifest
from stepwell.platform.errors import InvalidManifest
from stepwell.platform.expressions import Expression, ExpressionError, compile_expression
from stepwell.platform.flow.controls import expressions_of
from stepwell.platform.matching import Matcher

T = TypeVar("T")

NAMES = frozenset({"event"})
"""The variables of a trigger's condition."""
BOTH = frozenset({"event", "async"})
"""Those of a condition on a second event."""
NEVER = compile_expression("false", NAMES)


class Subscriptions(Generic[T]):
    """An index of triggers.

    Args:
        triggers: event name or wildcard, condition or "", and target of each.
    """

    __slots__ = ("_matcher",)

    def __init__(self, triggers: Iterable[tuple[str, str, T]]) -> None:
        self._matcher = Matcher((name, (_condition(text), target)) for name, text, target in triggers)

    def has(self, name: str) -> bool:
        """Whether an event of this name may start anything."""
        return bool(self._matcher.match(name))

    def started_by(self, name: str, event: Callable[[], Mapping[str, Any]]) -> list[T]:
        """Every target of which a trigger matches, once each; `event` is called only if there is a condition."""
        found = self._matcher.match(name)
        if any(condition for condition, _ in found):
            values = {"event": event()}
            found = tuple(one for one in found if one[0] is None or one[0].matches(values))
        return list(dict.fromkeys([target for _, target in found]))

    def left_out(self, name: str, event: Mapping[str, Any]) -> list[T]:
        """Every target that this name might start, and that none of its triggers starts by this event."""
        started = self.started_by(name, lambda: event)
        return [one for one in dict.fromkeys([target for _, target in self._matcher.match(name)]) if one not in started]


def check_conditions(manifest: Manifest) -> None:
    """Raises `InvalidManifest` for the first expression of a function that is none."""
    for function in manifest.functions:
        for what, text, names in _expressions(function):
            try:
                compile_expression(text or "true", names)
            except ExpressionError as error:
                raise InvalidManifest(f"{manifest.id}/{function.id}", what, str(error)) from None


def _expressions(function: FunctionManifest) -> Iterator[tuple[str, str, frozenset[str]]]:
    """What each expression of a function is, its text, and the variables it may use."""
    for trigger in function.triggers:
        if isinstance(trigger, TriggerManifest):
            yield f"if_ of {trigger.event!r}", trigger.if_, NAMES
    for control in function.cancel_on:
        yield f"cancel_on {control.event!r}", control.if_, BOTH
    for what, text in expressions_of(function):
        yield what, text, NAMES


def _condition(text: str) -> Expression | None:
    if not text:
        return None
    try:
        return compile_expression(text, NAMES)
    except ExpressionError as error:
        # It was understood by whoever registered it, so by a newer version: rather start nothing than too much.
        structlog.get_logger("stepwell.registry").error("condition_not_understood", condition=text, error=str(error))
        return NEVER
