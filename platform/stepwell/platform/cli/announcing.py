"""What `stepwell dev` and its parts tell the person before the screen."""

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

import typer

from stepwell.platform.cli.console import complain, facts, say


def greet(url: str, data: Path, redis: str) -> None:
    """Says what is where, once the server is up."""
    say()
    say(f"  {typer.style('Stepwell', bold=True)} {version('stepwell')}")
    say()
    facts([("Dashboard", url), ("Events", f"{url}/e/dev"), ("Data", str(data)), ("Redis", redis)])
    say()


def announce(target: str, functions: Mapping[str, Sequence[str]], events: Sequence[str], url: str) -> None:
    """Says which functions are served, with what starts each, and how to start one.

    Args:
        target: what they are of.
        functions: id -> events and schedules.
        events: those among them.
        url: of the server.
    """
    say(f"  {_count(len(functions))} from {target}")
    facts([(name, f"on {', '.join(starts)}") for name, starts in functions.items()])
    if events:
        say()
        invite(events[0].replace("*", "example"), url)


def invite(event: str, url: str) -> None:
    """Says how to send an event to the server at an address."""
    say(f"""  Try  curl {url}/e/dev -d '{{"name": "{event}", "data": {{}}}}'""")
    say()


def warn(problem: str) -> None:
    """Says in one line what does not work, among what goes on."""
    complain(typer.style(f"  ! {problem}", fg=typer.colors.YELLOW))


def _count(functions: int) -> str:
    return "1 function" if functions == 1 else f"{functions} functions"
