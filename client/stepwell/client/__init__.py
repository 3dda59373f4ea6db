"""Sending events, and reading and steering runs, from application code."""

from stepwell.client.client import Client
from stepwell.client.errors import (
    Busy,
    ClientError,
    Faulty,
    NotFound,
    Refused,
    TooLarge,
    Unauthorized,
    Unexpected,
    Unreachable,
)
from stepwell.client.event import Event
from stepwell.client.records import (
    Cause,
    Failure,
    History,
    HistoryEntry,
    LogLine,
    Page,
    Progress,
    Run,
    RunStatus,
    Step,
    StoredEvent,
    Try,
)
from stepwell.client.retry import Retry

__all__ = [
    "Busy",
    "Cause",
    "Client",
    "ClientError",
    "Event",
    "Failure",
    "Faulty",
    "History",
    "HistoryEntry",
    "LogLine",
    "NotFound",
    "Page",
    "Progress",
    "Refused",
    "Retry",
    "Run",
    "RunStatus",
    "Step",
    "StoredEvent",
    "TooLarge",
    "Try",
    "Unauthorized",
    "Unexpected",
    "Unreachable",
]
