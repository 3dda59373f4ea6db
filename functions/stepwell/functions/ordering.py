"""Which of the runs that are ready executes next."""

from __future__ import annotations

from dataclasses import dataclass

from stepwell.functions.bounds import check_expression


@dataclass(frozen=True, slots=True)
class Priority:
    """Of the runs that wait for one thing, those with more priority execute first.

    Args:
        expression: over `event`; it gives seconds from -600 to 600 by which the run goes before those that were
            created at the same time, or after them.

    Raises:
        InvalidControl: it is no text.
    """

    expression: str

    def __post_init__(self) -> None:
        check_expression("Priority", "expression", self.expression, "event.data.vip ? 60 : 0")


@dataclass(frozen=True, slots=True)
class Fairness:
    """Runs with different values of `key` take turns, so that many of one do not hold up the others.

    Args:
        key: an expression over `event`, such as "event.data.customer".

    Raises:
        InvalidControl: it is no text.
    """

    key: str

    def __post_init__(self) -> None:
        check_expression("Fairness", "key", self.key)


def priority(given: str | Priority | None) -> Priority | None:
    """What `priority=` means; a bare text is the expression. Raises `InvalidControl` when it is neither."""
    return given if given is None or isinstance(given, Priority) else Priority(given)


def fairness(given: str | Fairness | None) -> Fairness | None:
    """What `fairness=` means; a bare text is the key. Raises `InvalidControl` when it is neither."""
    return given if given is None or isinstance(given, Fairness) else Fairness(given)
