"""Defining functions: what starts them, what they do step by step, and what limits them."""

from stepwell.client import Event
from stepwell.functions.app import App
from stepwell.functions.cancelling import CancelOn
from stepwell.functions.context import Context, SyncContext
from stepwell.functions.controls import Concurrency
from stepwell.functions.errors import (
    DefinitionError,
    DuplicateFunction,
    DuplicateStep,
    FunctionsError,
    InvalidControl,
    InvalidDuration,
    InvalidHandler,
    InvalidId,
    InvalidStep,
    InvalidTrigger,
    InvalidValue,
    InvokeFailed,
    LimitExceeded,
    MisplacedStep,
    NonDeterministic,
    NonRetriable,
    RetryAfter,
    StepFailed,
)
from stepwell.functions.failed import RunFailed
from stepwell.functions.function import Function
from stepwell.functions.limits import Idempotency, Timeouts
from stepwell.functions.received import ReceivedEvent
from stepwell.functions.retries import Retries
from stepwell.functions.step import Step
from stepwell.functions.sync_step import SyncStep
from stepwell.functions.triggers import cron, event
from stepwell.functions.waits import EventWait, First, on_event

__all__ = [
    "App",
    "CancelOn",
    "Concurrency",
    "Context",
    "DefinitionError",
    "DuplicateFunction",
    "DuplicateStep",
    "Event",
    "EventWait",
    "First",
    "Function",
    "FunctionsError",
    "Idempotency",
    "InvalidControl",
    "InvalidDuration",
    "InvalidHandler",
    "InvalidId",
    "InvalidStep",
    "InvalidTrigger",
    "InvalidValue",
    "InvokeFailed",
    "LimitExceeded",
    "MisplacedStep",
    "NonDeterministic",
    "NonRetriable",
    "ReceivedEvent",
    "Retries",
    "RetryAfter",
    "RunFailed",
    "Step",
    "StepFailed",
    "SyncContext",
    "SyncStep",
    "Timeouts",
    "cron",
    "event",
    "on_event",
]
