"""What a list without runs says: how to get some."""

from collections.abc import Mapping
from dataclasses import dataclass
from shlex import quote

from stepwell.platform.snapshot import RegisteredFunction

EXAMPLE_DATA = '{"hello": "world"}'
USUAL = ("http://127.0.0.1:8288", "http://localhost:8288")
"""Where the command line looks for a server by itself."""


@dataclass(frozen=True, slots=True)
class Lesson:
    """Why there is nothing, and a command that changes that."""

    title: str
    text: str
    command: str


def lesson(functions: Mapping[str, RegisteredFunction], origin: str, *, dev: bool) -> Lesson:
    """What to do next on an installation without runs, whose server is at `origin`."""
    if not functions:
        return _no_functions(dev=dev)
    first = min(functions.values(), key=lambda function: (not function.events, function.id))
    if not first.events:
        schedule, text = first.schedules[0], "All functions run by the clock. This command starts a run at once:"
        return Lesson("No run yet", text, f"stepwell schedules run {schedule.id}{_at(origin)}")
    return Lesson(
        "No run yet",
        f"A run begins when an event arrives that triggers a function. This one starts {first.id}:",
        f"stepwell send {quote(example(first.events[0]))} '{EXAMPLE_DATA}'{_at(origin)}",
    )


def _no_functions(*, dev: bool) -> Lesson:
    text = "A worker registers the functions of its apps when it starts. Start one for the file that holds your app:"
    return Lesson("No function is registered", text, f"stepwell {'dev' if dev else 'worker'} path/to/app.py")


def example(trigger: str) -> str:
    """An event name that a trigger takes."""
    return f"{trigger[:-1]}example" if trigger.endswith("*") else trigger


def _at(origin: str) -> str:
    return "" if origin in USUAL else f" --url {quote(origin)}"
