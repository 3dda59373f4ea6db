"""The logger of a run: what is logged goes where this process logs, and is kept with the run."""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import Mapping, MutableMapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, cast

from typing_extensions import override

if TYPE_CHECKING:
    from stepwell.functions.replay.scribe import Scribe

RESERVED: Final = frozenset({*vars(logging.makeLogRecord({})), "message", "asctime"})
"""Names that fields of a line cannot have, since logging uses them itself."""


class RunLog(logging.LoggerAdapter[logging.Logger]):
    """A logger whose records carry `run` and `function`, and the fields that are given as `extra=`.

    Outside steps, a line that was logged before the run was replayed is not logged again.

    Args:
        run: id of the run.
        function: as "app-id/function-id".
        scribe: writes down what is kept; `None` for nothing.
    """

    def __init__(self, run: str, function: str, scribe: Scribe | None) -> None:
        super().__init__(logging.getLogger("stepwell.functions"), {"run": run, "function": function})
        self._scribe = scribe

    @override
    def isEnabledFor(self, level: int) -> bool:
        """Whether a line of this level goes anywhere: from INFO on it is kept, whatever this process shows."""
        scribe = self._scribe
        if scribe is None:
            return self.logger.isEnabledFor(level)
        return not scribe.silent and (level >= logging.INFO or self.logger.isEnabledFor(level))

    def log(self, level: int, msg: object, *args: object, **kwargs: Any) -> None:
        """See `logging.Logger.log`."""
        if not self.isEnabledFor(level):
            return
        if self._scribe is not None:
            self._scribe.write(logging.getLevelName(level).lower(), _message(level, msg, args), _fields(kwargs))
        # One frame more than logging expects lies between the caller and the logger.
        super().log(level, msg, *args, **{**kwargs, "stacklevel": kwargs.get("stacklevel", 1) + 1})

    def process(self, msg: Any, kwargs: MutableMapping[str, Any]) -> tuple[Any, MutableMapping[str, Any]]:
        """Puts run and function beside the fields that were given."""
        given = {name: value for name, value in _extra(kwargs).items() if name not in RESERVED}
        return msg, {**kwargs, "extra": {**given, **(self.extra or {})}}


def _extra(kwargs: Mapping[str, Any]) -> Mapping[str, Any]:
    extra = kwargs.get("extra")
    return cast("Mapping[str, Any]", extra) if isinstance(extra, Mapping) else {}


def _message(level: int, msg: object, args: tuple[Any, ...]) -> str:
    """The message as logging makes it; a slip in its arguments is logging's to complain of."""
    try:
        return logging.LogRecord("", level, "", 0, cast("str", msg), args, None).getMessage()
    except Exception:
        return f"{msg} {args!r}"


def _fields(kwargs: Mapping[str, Any]) -> Mapping[str, Any]:
    error = _error(kwargs.get("exc_info"))
    if error is None:
        return _extra(kwargs)
    return {**_extra(kwargs), "exception": "".join(traceback.format_exception(error)).rstrip()}


def _error(given: object) -> BaseException | None:
    if isinstance(given, BaseException):
        return given
    if isinstance(given, tuple):
        return cast("tuple[type[BaseException], BaseException, TracebackType] | tuple[None, None, None]", given)[1]
    return sys.exc_info()[1] if given else None
