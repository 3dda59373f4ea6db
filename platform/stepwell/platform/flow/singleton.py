"""Singleton: there is one run of a key, until it has ended."""

from collections.abc import Iterator, Mapping
from typing import Any

from stepwell.functions.protocol import FunctionManifest
from stepwell.platform.flow.constraint import Constraint
from stepwell.platform.flow.key import digest_for


def options(function: str, manifest: FunctionManifest, event: Mapping[str, Any]) -> Iterator[str]:
    """The option of a run."""
    if manifest.singleton:
        yield f"single={digest_for(function, 'singleton', manifest.singleton.key, event)}:{manifest.singleton.mode}"


def constraints(app: str, manifest: FunctionManifest) -> Iterator[Constraint]:
    """A run that takes the place of another may execute once that has let go."""
    if manifest.singleton and manifest.singleton.mode == "cancel":
        yield Constraint(f"{app}/{manifest.id}#singleton", manifest.singleton.key, "1")
