"""Throttle: starts of runs are spread over time."""

from collections.abc import Iterator

from stepwell.functions.protocol import FunctionManifest
from stepwell.platform.flow.constraint import Constraint


def constraints(app: str, manifest: FunctionManifest) -> Iterator[Constraint]:
    """That of a function: ms between two starts, and how many may come at once."""
    control = manifest.throttle
    if control:
        rule = f"throttle {control.period / control.limit:.6f} {control.burst}"
        yield Constraint(f"{app}/{manifest.id}#throttle", control.key, rule)
