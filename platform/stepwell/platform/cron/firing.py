"""The run that a time of a schedule starts, and its event."""

from hashlib import blake2b
from typing import NamedTuple

from stepwell.platform.codec import encode
from stepwell.platform.cron.schedule import Schedule
from stepwell.platform.ids import encode_id, new_id, run_id
from stepwell.platform.lanes import lane_of
from stepwell.platform.registry import RegisteredFunction

TIMER = "inngest/scheduled.timer"
"""Name of the event that a run of a schedule gets to see."""


class Firing(NamedTuple):
    """A run to be created: the last columns of an item of the scripts that fire."""

    run: str
    lane: str
    app_version: str
    event: str
    body: bytes


NOTHING = Firing("-", "-", "-", "-", b"")


def firing(function: RegisteredFunction, schedule: Schedule, when: int, partition: int) -> Firing:
    """That of a time: the same whoever makes it, and for all schedules of a function."""
    digest = blake2b(f"cron {function.id}".encode(), digest_size=9).digest()
    return _firing(function, schedule, when, partition, encode_id(when, partition, int.from_bytes(digest, "big")))


def firing_now(function: RegisteredFunction, schedule: Schedule, now: int, partition: int) -> Firing:
    """That of a person, beside the plan: another one every time."""
    return _firing(function, schedule, now, partition, new_id(now, partition))


def _firing(function: RegisteredFunction, schedule: Schedule, when: int, partition: int, event: str) -> Firing:
    body = {"name": TIMER, "data": {"cron": schedule.cron}, "ts": when}
    lane = lane_of(function.id, function.constraints, body)
    return Firing(run_id(event, function.id, partition), lane, function.version, event, encode(body))
