"""Commands that run in the test's own process set up its logs; afterwards they are as before."""

import logging
from collections.abc import Generator
from contextlib import contextmanager

import structlog


@contextmanager
def logs_restored() -> Generator[None]:
    """Puts structlog and the root logger back."""
    root, ours = logging.getLogger(), logging.getLogger("stepwell")
    before = structlog.get_config()
    handlers, level, our_level = list(root.handlers), root.level, ours.level
    try:
        yield
    finally:
        structlog.configure(**before)
        root.handlers[:] = handlers
        root.setLevel(level)
        ours.setLevel(our_level)
