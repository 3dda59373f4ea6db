"""What the platform is told about a function."""

from __future__ import annotations

from stepwell.functions.controls import Controls
from stepwell.functions.gathering import Batch, Debounce
from stepwell.functions.limits import Idempotency, Timeouts
from stepwell.functions.ordering import Fairness, Priority
from stepwell.functions.protocol import (
    BatchManifest,
    CancelOnManifest,
    ConcurrencyManifest,
    CronManifest,
    DebounceManifest,
    FairnessManifest,
    FunctionManifest,
    IdempotencyManifest,
    PriorityManifest,
    RateLimitManifest,
    RetriesManifest,
    SingletonManifest,
    ThrottleManifest,
    TimeoutsManifest,
    TriggerManifest,
)
from stepwell.functions.retries import Retries
from stepwell.functions.starts import RateLimit, Singleton, Throttle
from stepwell.functions.triggers import EventTrigger, Trigger


def registration(id: str, triggers: tuple[Trigger, ...], retries: Retries, controls: Controls) -> FunctionManifest:
    """A function as it is registered; see `Function` for what it is made of."""
    return FunctionManifest(
        id=id,
        triggers=[_trigger(trigger) for trigger in triggers],
        retries=RetriesManifest(times=retries.times),
        concurrency=[
            ConcurrencyManifest(limit=one.limit, key=one.key, scope=one.scope, name=one.name)
            for one in controls.concurrency
        ],
        timeouts=_timeouts(controls.timeouts),
        cancel_on=[
            CancelOnManifest(event=one.event, if_=one.condition, within=one.within_ms) for one in controls.cancel_on
        ],
        idempotency=_idempotency(controls.idempotency),
        throttle=_throttle(controls.throttle),
        rate_limit=_rate_limit(controls.rate_limit),
        debounce=_debounce(controls.debounce),
        batch=_batch(controls.batch),
        priority=_priority(controls.priority),
        singleton=_singleton(controls.singleton),
        fairness=_fairness(controls.fairness),
    )


def _trigger(trigger: Trigger) -> TriggerManifest | CronManifest:
    if isinstance(trigger, EventTrigger):
        return TriggerManifest(event=trigger.event, if_=trigger.if_)
    return CronManifest(
        cron=trigger.expr,
        tz=trigger.tz,
        jitter=trigger.jitter,
        overlap=trigger.overlap,
        catch_up=trigger.catch_up,
        window=trigger.window,
    )


def _timeouts(given: Timeouts | None) -> TimeoutsManifest | None:
    return None if given is None else TimeoutsManifest(start=given.start_ms, finish=given.finish_ms)


def _idempotency(given: Idempotency | None) -> IdempotencyManifest | None:
    return None if given is None else IdempotencyManifest(key=given.key, period=given.period_ms)


def _throttle(given: Throttle | None) -> ThrottleManifest | None:
    if given is None:
        return None
    return ThrottleManifest(limit=given.limit, period=given.period_ms, burst=given.burst, key=given.key)


def _rate_limit(given: RateLimit | None) -> RateLimitManifest | None:
    return None if given is None else RateLimitManifest(limit=given.limit, period=given.period_ms, key=given.key)


def _debounce(given: Debounce | None) -> DebounceManifest | None:
    return None if given is None else DebounceManifest(period=given.period_ms, timeout=given.timeout_ms, key=given.key)


def _batch(given: Batch | None) -> BatchManifest | None:
    if given is None:
        return None
    return BatchManifest(max_size=given.max_size, timeout=given.timeout_ms, key=given.key, if_=given.condition)


def _priority(given: Priority | None) -> PriorityManifest | None:
    return None if given is None else PriorityManifest(expression=given.expression)


def _singleton(given: Singleton | None) -> SingletonManifest | None:
    return None if given is None else SingletonManifest(key=given.key, mode=given.mode)


def _fairness(given: Fairness | None) -> FairnessManifest | None:
    return None if given is None else FairnessManifest(key=given.key)
