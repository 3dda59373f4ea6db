"""The run that a time of a schedule starts, and its event."""

from hashlib import blake2b
from typing import NamedTuple

from stepwell.platform.codec import encode
from stepwell.platform.cron.schedule import Schedule
from stepwell.platform.ids import encode_id, partition_of
from stepwell.platform.snapshot import RegisteredFunction
from stepwell.platform.starting import beginning

TIMER = "inngest/scheduled.timer"
"""Name of the event that a run of a schedule gets to see."""


class Firing(NamedTuple):
    """A run to be created: the last columns of an item of the scripts that fire."""

    run: str
    lane: str
    app_version: str
    options: str
    notes: str
    event: str
    body: bytes


NOTHING = Firing("-", "-", "-", "-", "-", "-", b"")


def firing(function: RegisteredFunction, schedule: Schedule, when: int, partition: int, partitions: int) -> Firing:
    """That of a time, in the home of its function: the same whoever makes it, and for all schedules of a function."""
    digest = blake2b(f"cron {function.id}".encode(), digest_size=9).digest()
    event = encode_id(when, partition, int.from_bytes(digest, "big"))
    return firing_of(function, schedule, when, event, partitions)


def firing_of(function: RegisteredFunction, schedule: Schedule, when: int, event: str, partitions: int) -> Firing:
    """That of an event with this id: the run is told from others by it."""
    body = {"name": TIMER, "data": {"cron": schedule.cron}, "ts": when}
    made = beginning(function, {**body, "id": event}, partition_of(event), partitions)
    return Firing(made.run, made.lane, made.version, made.options, made.notes, event, encode(body))
