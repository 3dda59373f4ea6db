"""The command line."""

from stepwell.platform.cli.commands import main

__all__ = ["main"]
