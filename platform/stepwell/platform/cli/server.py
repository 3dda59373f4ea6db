"""`stepwell server`: the API, the dashboard and the scheduler."""

import signal
from contextlib import nullcontext
from socket import socket
from types import FrameType
from typing import Annotated

import typer

from stepwell.platform.cli.lifeline import end_with_parent
from stepwell.platform.cli.port import listen
from stepwell.platform.cli.stopping import run
from stepwell.platform.logs import configure_logs
from stepwell.platform.settings import Settings

Host = Annotated[str, typer.Option(help="Name or address to listen on, or the path of a socket.")]
Port = Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes a free one.")]


def server(
    host: Host = "127.0.0.1",
    port: Port = 8288,
    dev: Annotated[int, typer.Option(hidden=True, help="Socket inherited from `stepwell dev`.")] = -1,
    after: Annotated[int, typer.Option(hidden=True, help="Pipe from its worker: begin when something comes.")] = -1,
) -> int:
    """Serve the API and the dashboard, and keep time. Needs STEPWELL_REDIS_URL; run as many as you like."""
    # Imported here, because it takes longer than most commands.
    from stepwell.platform.cli.serving import check_keys, serve

    configure_logs()
    settings = Settings()
    check_keys(settings, host, dev=dev >= 0)
    if dev >= 0:
        end_with_parent()
    # What serves handles these itself. uvicorn raises them again at its end; having drained is success.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _nothing)
    with (socket(fileno=dev) if dev >= 0 else _listener(host, port)) or nullcontext() as listener:
        return run(serve(settings, host, listener, dev=dev >= 0, after=after if after >= 0 else None))


def _listener(host: str, port: int) -> socket | None:
    return None if host.startswith("/") else listen(host, port, "stepwell server")


def _nothing(number: int, frame: FrameType | None) -> None:
    """As a signal handler: what had to be done is done."""
