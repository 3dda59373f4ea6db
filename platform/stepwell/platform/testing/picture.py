"""Steps in words, for whoever reads why a test has failed."""

from collections.abc import Iterator, Mapping

from stepwell.client import Failure
from stepwell.platform.testing.step import TestStep


def lines_of(steps: Mapping[str, TestStep]) -> Iterator[str]:
    """Each step in a line."""
    if not steps:
        yield "  it has no steps yet"
    width = max(map(len, steps), default=0)
    for step in steps.values():
        yield f"  {step.id:{width}}  {step.kind:5}  {step.status:9}  {_rest(step)}".rstrip()


def text_of(error: Failure) -> str:
    """An error in a line, unless it has more itself."""
    return f"{error.type}: {error.message:.500}"


def _rest(step: TestStep) -> str:
    parts = [f"{step.attempts} attempts"] if step.attempts > 1 else []
    if step.wakes_at is not None:
        parts.append(f"until {step.wakes_at}")
    if step.error is not None:
        parts.append(text_of(step.error))
    elif step.output is not None:
        parts.append(f"{step.output!r:.100}")
    return "  ".join(parts)
