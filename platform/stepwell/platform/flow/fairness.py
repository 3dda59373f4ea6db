"""Fairness: runs of different keys take turns, however many there are of one."""

from collections.abc import Iterator

from stepwell.functions.protocol import FunctionManifest
from stepwell.platform.flow.constraint import Constraint


def constraints(app: str, manifest: FunctionManifest) -> Iterator[Constraint]:
    """That of a function: it makes lanes, and nothing else."""
    if manifest.fairness:
        yield Constraint(f"{app}/{manifest.id}#fairness", manifest.fairness.key, "")
