"""Defining functions: what starts them, what they do step by step, and what limits them."""

from stepwell.client import Event
from stepwell.functions.app import App
from stepwell.functions.cancelling import CancelOn
from stepwell.functions.concurrency import Concurrency
from stepwell.functions.context import Context, SyncContext
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
from stepwell.functions.gathering import Batch, Debounce
from stepwell.functions.limits import Idempotency, Timeouts
from stepwell.functions.ordering import Fairness, Priority
from stepwell.functions.received import ReceivedEvent
from stepwell.functions.retries import Retries
from stepwell.functions.starts import RateLimit, Singleton, Throttle
from stepwell.functions.step import Step
from stepwell.functions.sync_step import SyncStep
from stepwell.functions.triggers import cron, event
from stepwell.functions.waits import EventWait, First, on_event

__all__ = [
    "App",
    "Batch",
    "CancelOn",
    "Concurrency",
    "Context",
    "Debounce",
    "DefinitionError",
    "DuplicateFunction",
    "DuplicateStep",
    "Event",
    "EventWait",
    "Fairness",
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
    "Priority",
    "RateLimit",
    "ReceivedEvent",
    "Retries",
    "RetryAfter",
    "RunFailed",
    "Singleton",
    "Step",
    "StepFailed",
    "SyncContext",
    "SyncStep",
    "Throttle",
    "Timeouts",
    "cron",
    "event",
    "on_event",
]
