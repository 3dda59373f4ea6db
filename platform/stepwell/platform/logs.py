"""How log lines look: for a person on a console, or one JSON object a line with STEPWELL_LOG=json; always on stderr."""

import logging
import os
import sys
from collections.abc import Sequence

import structlog
from structlog.typing import Processor


def configure_logs() -> None:
    """Sets up structlog, and the logging of the standard library, for this process."""
    shared = _shared()
    shown = _shown()
    structlog.configure(
        processors=[*shared, *shown],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.ExtraAdder()],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *shown],
        )
    )
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    # What handlers of functions write with `ctx.log`.
    logging.getLogger("stepwell").setLevel(logging.INFO)


def _shared() -> list[Processor]:
    return [structlog.stdlib.add_log_level, structlog.processors.TimeStamper(fmt="iso", utc=True)]


def _shown() -> Sequence[Processor]:
    if os.environ.get("STEPWELL_LOG") == "json":
        return [structlog.processors.dict_tracebacks, structlog.processors.JSONRenderer()]
    colours = sys.stderr.isatty() and "NO_COLOR" not in os.environ
    plain = structlog.dev.plain_traceback
    return [structlog.dev.ConsoleRenderer(colors=colours, pad_event_to=0, exception_formatter=plain)]
