"""One call of `step.run`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from stepwell.functions.options import Options


class Call:
    """A body to be run, and the key it is recorded under."""

    __slots__ = ("args", "delay", "failed", "fn", "key", "kwargs", "options", "order", "since", "tried", "value")

    def __init__(
        self,
        key: str,
        order: int,
        options: Options,
        fn: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
    ) -> None:
        self.key = key
        self.order = order  # among all steps asked for
        self.options = options
        self.fn = fn
        self.args = args
        self.kwargs = kwargs

    # Set by each try:
    tried: int  # tries of the body, this one included
    since: float  # of the monotonic clock, when it began
    failed: bool  # it has raised
    delay: int | None  # ms until the next one
    value: Any  # what it gave

    def invoke(self) -> Any:
        """Calls the body."""
        return self.fn(*self.args, **self.kwargs)
