"""All controls of a function together, in the order in which they are asked."""

from collections.abc import Iterator, Mapping
from typing import Any

from stepwell.functions.protocol import FunctionManifest
from stepwell.platform.flow import (
    batch,
    concurrency,
    debounce,
    fairness,
    idempotency,
    priority,
    rate_limit,
    singleton,
    throttle,
)
from stepwell.platform.flow.constraint import Constraint

STARTS = (idempotency, rate_limit, debounce, batch, singleton, priority)
LANES = (concurrency, singleton, throttle, fairness)
GATHERING = ("debounce=", "batch=")
"""Options by which an event joins others."""
OF_MANY = ("batch=", "many=")
"""Options of runs that may have several events."""
BY_HAND = ("once=", "rate=", *GATHERING)
"""Options that say which events start a run: who asks for one by hand is not subject to them."""


def options_of(function: str, manifest: FunctionManifest, event: Mapping[str, Any]) -> Iterator[str]:
    """What a run of the function is created with; see lua/include/options.lua."""
    for control in STARTS:
        yield from control.options(function, manifest, event)


def constraints_of(app: str, manifest: FunctionManifest) -> tuple[Constraint, ...]:
    """What ready runs of the function wait for."""
    return tuple(one for control in LANES for one in control.constraints(app, manifest))


def is_controlled(manifest: FunctionManifest) -> bool:
    """Whether runs of the function are created with options of these."""
    return any(
        (
            manifest.idempotency,
            manifest.rate_limit,
            manifest.debounce,
            manifest.batch,
            manifest.singleton,
            manifest.priority,
        )
    )


def is_gathering(option: str) -> bool:
    """Whether it is one by which an event joins others."""
    return option.startswith(GATHERING)


def by_hand(options: str) -> str:
    """The options of a run that somebody wants beside those that events start."""
    return ",".join([option for option in options.split(",") if not option.startswith(BY_HAND)]) or "-"


def is_of_many(options: str) -> bool:
    """Whether a run may have further events behind its first."""
    return any(option.startswith(OF_MANY) for option in options.split(","))


def with_many(options: str, count: int) -> str:
    """The options of a run that has `count` further events of a batch without having gathered them."""
    return f"many={count}" if options == "-" else f"{options},many={count}"


def expressions_of(manifest: FunctionManifest) -> Iterator[tuple[str, str]]:
    """What each expression of the controls is, and its text."""
    keyed = {
        "idempotency": manifest.idempotency,
        "throttle": manifest.throttle,
        "rate_limit": manifest.rate_limit,
        "debounce": manifest.debounce,
        "batch": manifest.batch,
        "singleton": manifest.singleton,
        "fairness": manifest.fairness,
    }
    keys = [*keyed.items(), *(("concurrency", one) for one in manifest.concurrency)]
    yield from ((f"the key of {name}", control.key) for name, control in keys if control and control.key)
    if manifest.batch and manifest.batch.if_:
        yield "if_ of batch", manifest.batch.if_
    if manifest.priority:
        yield "priority", manifest.priority.expression
