"""Concurrency: at most so many runs of a key are executing at once."""

from collections.abc import Iterator

from stepwell.functions.protocol import ConcurrencyManifest, FunctionManifest
from stepwell.platform.flow.constraint import Constraint


def constraints(app: str, manifest: FunctionManifest) -> Iterator[Constraint]:
    """Those of a function: a shared one has the name of its app, or none, where others have that of the function."""
    for index, one in enumerate(manifest.concurrency):
        yield Constraint(_name(app, manifest.id, index, one), one.key, str(one.limit))


def _name(app: str, function: str, index: int, one: ConcurrencyManifest) -> str:
    match one.scope:
        case "function":
            return f"{app}/{function}#{index}"
        case "app":
            return f"{app}~{one.name}"
        case "environment":
            return f"~{one.name}"
