"""What the functions of every app are set to, by their ids."""

import datetime
from typing import Any

from inngest import (
    Batch,
    Cancel,
    Concurrency,
    Debounce,
    Priority,
    RateLimit,
    Singleton,
    Throttle,
    Timeouts,
    TriggerCron,
)

SECOND = datetime.timedelta(seconds=1)
KEY = "event.data.key"


def options(app: str) -> dict[str, dict[str, Any]]:
    """What a function has beyond its id, its trigger `app/id`, and its handler.

    Args:
        app: id of the app.
    """
    return _failing() | _flow(app) | {"tick": {"trigger": TriggerCron(cron="* * * * *")}}


def _failing() -> dict[str, dict[str, Any]]:
    return {
        "flaky": {"retries": 3},
        "stumble": {"retries": 2},
        "caught": {"retries": 1},
        "later": {"retries": 2},
        "doomed": {"retries": 0},
    }


def _flow(app: str) -> dict[str, dict[str, Any]]:
    return {
        "batch": {"batch_events": Batch(max_size=3, timeout=30 * SECOND, key="event.data.shelf")},
        "debounce": {"debounce": Debounce(period=SECOND, key=KEY)},
        "narrow": {"concurrency": [Concurrency(limit=1, key=KEY)]},
        "throttle": {"throttle": Throttle(limit=1, period=SECOND, key=KEY)},
        "burst": {"throttle": Throttle(limit=1, period=3600 * SECOND, burst=3, key=KEY)},
        "limited": {"rate_limit": RateLimit(limit=1, period=60 * SECOND, key=KEY)},
        "urgent": {
            "priority": Priority(run="event.data.urgent ? 600 : 0"),
            "concurrency": [Concurrency(limit=1)],
        },
        "single": {"singleton": Singleton(mode="skip", key=KEY)},
        "latest": {"singleton": Singleton(mode="cancel", key=KEY)},
        "hasty": {"timeouts": Timeouts(finish=SECOND)},
        "cancel": {"cancel": [Cancel(event=f"{app}/withdrawn", if_exp="event.data.key == async.data.key")]},
        "once": {"idempotency": KEY},
    }
