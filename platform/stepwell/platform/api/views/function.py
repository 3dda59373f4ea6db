"""Functions as JSON models."""

from stepwell.platform.api.models.function import Function, Pause
from stepwell.platform.flow.pausing import Paused
from stepwell.platform.history import FunctionView


def function(view: FunctionView, paused: Paused | None) -> Function:
    """A function."""
    registered = view.function
    manifest = registered.manifest
    return Function(
        id=registered.id,
        app=registered.app,
        version=registered.version,
        triggers=manifest.triggers,
        retries=manifest.retries,
        concurrency=manifest.concurrency,
        throttle=manifest.throttle,
        rate_limit=manifest.rate_limit,
        debounce=manifest.debounce,
        batch=manifest.batch,
        priority=manifest.priority,
        singleton=manifest.singleton,
        fairness=manifest.fairness,
        idempotency=manifest.idempotency,
        paused=Pause(mode=paused.mode, since=paused.since) if paused else None,
        runs=view.runs,
        workers=view.workers,
    )
