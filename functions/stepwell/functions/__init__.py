"""Defining functions: what starts them, what they do step by step, and what limits them."""

from stepwell.client import Event
from stepwell.functions.app import App
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
    LimitExceeded,
    MisplacedStep,
    NonDeterministic,
    NonRetriable,
    RetryAfter,
    StepFailed,
)
from stepwell.functions.function import Function
from stepwell.functions.received import ReceivedEvent
from stepwell.functions.retries import Retries
from stepwell.functions.step import Step, SyncStep
from stepwell.functions.triggers import cron, event

__all__ = [
    "App",
    "Concurrency",
    "Context",
    "DefinitionError",
    "DuplicateFunction",
    "DuplicateStep",
    "Event",
    "Function",
    "FunctionsError",
    "InvalidControl",
    "InvalidDuration",
    "InvalidHandler",
    "InvalidId",
    "InvalidStep",
    "InvalidTrigger",
    "InvalidValue",
    "LimitExceeded",
    "MisplacedStep",
    "NonDeterministic",
    "NonRetriable",
    "ReceivedEvent",
    "Retries",
    "RetryAfter",
    "Step",
    "StepFailed",
    "SyncContext",
    "SyncStep",
    "cron",
    "event",
]
