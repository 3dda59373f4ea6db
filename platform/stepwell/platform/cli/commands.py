"""Every command, and what becomes of the errors they end with."""

import sys
from collections.abc import Callable, Sequence
from importlib.metadata import version
from typing import Annotated

import typer
from pydantic import ValidationError
from typer.exceptions import TyperException

from stepwell.client import ClientError
from stepwell.platform.cli.apps import apps
from stepwell.platform.cli.bulk import bulk
from stepwell.platform.cli.console import MISUSE, Misuse, complain, say
from stepwell.platform.cli.dev import dev
from stepwell.platform.cli.doctor import doctor
from stepwell.platform.cli.events import events
from stepwell.platform.cli.functions import functions
from stepwell.platform.cli.keys import keys
from stepwell.platform.cli.queues import queues
from stepwell.platform.cli.runs import runs
from stepwell.platform.cli.schedules import schedules
from stepwell.platform.cli.send import send
from stepwell.platform.cli.server import server
from stepwell.platform.cli.worker import worker
from stepwell.platform.cli.workers import workers
from stepwell.platform.errors import StepwellError
from stepwell.platform.settings import Settings


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command.

    Args:
        arguments: its words; default: those this process was started with.

    Returns:
        Its exit code: 0; 1 when it found something wrong; 2 when it was used wrongly or could not begin.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        return command_line()(words or ["--help"], prog_name="stepwell", standalone_mode=False) or 0
    except TyperException as error:
        context = getattr(error, "ctx", None)
        name = context.command_path if context else "stepwell"
        complain(f"{name}: {_sentence(error.format_message())} See `{name} --help`.")
    except ValidationError as error:
        complain(f"stepwell: {_setting(error)}")
    except (Misuse, StepwellError, ClientError) as error:
        complain(f"stepwell: {error}")
    return MISUSE


def command_line() -> typer.Typer:
    """All commands."""
    app = typer.Typer(
        name="stepwell",
        help="Event-triggered step functions that survive crashes and deploys.",
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
    )
    app.callback()(_about)
    _add(app, dev, server, worker, send)
    app.add_typer(runs(), name="runs")
    app.add_typer(bulk(), name="bulk")
    app.add_typer(events(), name="events")
    app.add_typer(schedules(), name="schedules")
    app.add_typer(functions(), name="functions")
    app.add_typer(apps(), name="apps")
    _add(app, queues, workers, doctor, keys)
    return app


def _add(app: typer.Typer, *commands: Callable[..., object]) -> None:
    for command in commands:
        app.command()(command)


def _version(wanted: bool) -> None:
    if wanted:
        say(f"stepwell {version('stepwell')}")
        raise typer.Exit


def _about(
    show_version: Annotated[
        bool,
        typer.Option("--version", help="Print the version and exit.", is_eager=True, callback=_version),
    ] = False,
) -> None:
    """Event-triggered step functions that survive crashes and deploys."""


def _sentence(text: str) -> str:
    line = " ".join(text.split())
    return line if line.endswith((".", "?", "!")) else f"{line}."


def _setting(error: ValidationError) -> str:
    """A setting that cannot be used, by the name it has in the environment."""
    wrong = error.errors(include_url=False)[0]
    name = f"{Settings.model_config['env_prefix']}{'.'.join(map(str, wrong['loc']))}".upper()  # pyright: ignore[reportTypedDictNotRequiredAccess]
    return f"{name} is {wrong['input']!r}: {wrong['msg']}"
