"""`stepwell dev`: everything, from one command."""

from pathlib import Path
from typing import Annotated

import typer

from stepwell.platform.cli.port import listen
from stepwell.platform.cli.server import Host, Port
from stepwell.platform.cli.stopping import run
from stepwell.platform.logs import configure_logs
from stepwell.platform.settings import Settings
from stepwell.platform.target import check_target


def dev(
    target: Annotated[
        str | None, typer.Argument(help="Whose functions to execute: module:app, or path/to/file.py.")
    ] = None,
    host: Host = "127.0.0.1",
    port: Port = 8288,
    discovery: Annotated[
        bool, typer.Option(help="Look for apps that are served over HTTP on usual ports of this machine.")
    ] = True,
    data_dir: Annotated[Path, typer.Option(help="Where the data is kept.")] = Path(".stepwell"),
) -> int:
    """Start everything: Redis, the API and dashboard, and a worker for TARGET that follows changes of the code."""
    # Imported here, because it takes longer than most commands.
    from stepwell.platform.cli.household import keep
    from stepwell.platform.cli.serving import check_keys

    configure_logs()
    settings = Settings(data_dir=data_dir)
    if target is not None:
        check_target(target)
    check_keys(settings, host, dev=True)
    with listen(host, port, "stepwell dev") as listener:
        return run(keep(settings, target, host, listener, discovery=discovery))
