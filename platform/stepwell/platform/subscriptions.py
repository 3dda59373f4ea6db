"""What an event starts: targets by the name of the event, and by a condition where their trigger has one."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Generic, TypeVar

import structlog

from stepwell.functions.protocol import CronManifest, Manifest
from stepwell.platform.errors import InvalidManifest
from stepwell.platform.expressions import Expression, ExpressionError, compile_expression
from stepwell.platform.matching import Matcher

T = TypeVar("T")

NAMES = frozenset({"event"})
"""The variables of a trigger's condition."""
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


def check_conditions(manifest: Manifest) -> None:
    """Raises `InvalidManifest` for the first condition of a trigger that is none."""
    for function in manifest.functions:
        for trigger in function.triggers:
            if isinstance(trigger, CronManifest):
                continue
            try:
                compile_expression(trigger.if_ or "true", NAMES)
            except ExpressionError as error:
                name, what = f"{manifest.id}/{function.id}", f"if_ of {trigger.event!r}"
                raise InvalidManifest(name, what, str(error)) from None


def _condition(text: str) -> Expression | None:
    if not text:
        return None
    try:
        return compile_expression(text, NAMES)
    except ExpressionError as error:
        # It was understood by whoever registered it, so by a newer version: rather start nothing than too much.
        structlog.get_logger("stepwell.registry").error("condition_not_understood", condition=text, error=str(error))
        return NEVER
