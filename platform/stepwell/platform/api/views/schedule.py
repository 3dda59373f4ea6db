"""Schedules as JSON models."""

from typing import Any

from stepwell.platform.api.models.schedule import Schedule, ScheduleDetail
from stepwell.platform.cron.schedules import ScheduleView


def schedule(view: ScheduleView) -> Schedule:
    """A schedule of a list."""
    return Schedule(**_schedule(view))


def schedule_detail(view: ScheduleView) -> ScheduleDetail:
    """A schedule on its own."""
    return ScheduleDetail(**_schedule(view), upcoming=list(view.upcoming(5)))


def _schedule(view: ScheduleView) -> dict[str, Any]:
    planned, state = view.schedule, view.state
    return {
        "id": planned.id,
        "function": planned.function,
        "app": planned.function.partition("/")[0],
        "cron": planned.cron,
        "tz": planned.tz,
        "jitter": planned.jitter,
        "overlap": planned.overlap,
        "catch_up": planned.catch_up,
        "window": planned.window,
        "next_at": next(iter(view.upcoming(1)), None),
        "skips": state.skip or None,
        "last_at": state.last or None,
        "last_fired_at": state.fired or None,
        "last_run": None if state.run == "-" else state.run,
        "missed": state.missed,
        "skipped": state.skipped,
        "held": list(state.held),
        "paused_at": state.paused or None,
    }
