"""`stepwell worker`: a process that executes functions."""

from typing import Annotated

import typer

from stepwell.platform.cli.lifeline import end_with_parent
from stepwell.platform.cli.stopping import run
from stepwell.platform.logs import configure_logs
from stepwell.platform.settings import Settings
from stepwell.platform.target import check_target

Target = Annotated[str, typer.Argument(help="module:app, or path/to/file.py.", metavar="TARGET")]


def worker(
    target: Target,
    concurrency: Annotated[int, typer.Option(min=1, max=10_000, help="Runs at once.")] = 256,
    reload: Annotated[bool, typer.Option("--reload", help="Start anew when the code changes.")] = False,
    dev: Annotated[int, typer.Option(hidden=True, help="Pipe to `stepwell dev`, for a byte once it serves.")] = -1,
) -> int:
    """Execute the functions of TARGET. Needs STEPWELL_REDIS_URL; run as many as you like."""
    # Imported here, because it takes longer than most commands.
    from stepwell.platform.cli.working import work

    configure_logs()
    if dev >= 0:
        end_with_parent()
    else:
        check_target(target)
    return run(work(Settings(), target, concurrency, reload=reload or dev >= 0, dev=dev if dev >= 0 else None))
