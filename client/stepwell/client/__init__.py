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
    BulkJob,
    BulkPreview,
    BulkRefusal,
    ErrorGroup,
    Failure,
    LogLine,
    Page,
    Progress,
    Run,
    RunStatus,
    Step,
    StoredEvent,
)
from stepwell.client.retry import Retry

__all__ = [
    "BulkJob",
    "BulkPreview",
    "BulkRefusal",
    "Busy",
    "Client",
    "ClientError",
    "ErrorGroup",
    "Event",
    "Failure",
    "Faulty",
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
    "Unauthorized",
    "Unexpected",
    "Unreachable",
]
