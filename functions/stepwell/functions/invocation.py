"""Running another function as a step: which, with what, and what comes back."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson
from pydantic_core import to_jsonable_python

from stepwell.functions.durations import Duration, milliseconds
from stepwell.functions.errors import InvalidStep, InvalidValue, InvokeFailed
from stepwell.functions.function import Function
from stepwell.functions.ids import ID
from stepwell.functions.journal import Outcome
from stepwell.functions.values import UNFIT, Codec, Plain, reason

NAME: Final = re.compile(f"{ID}/{ID}")


@dataclass(frozen=True, slots=True)
class Invocation:
    """One call of another function.

    Args:
        function: "app-id/function-id".
        data: of the event it is started with, a JSON object.
        delay: ms it may take; None for as long as it likes.
        detach: whether it goes on when the run that called it is cancelled.
        codec: reads what it returns.
    """

    function: str
    data: bytes
    delay: int | None
    detach: bool
    codec: Codec

    def result(self, what: str, outcome: Outcome) -> Any:
        """What the function has returned.

        Args:
            what: the calling function and its step, for errors.
            outcome: of the step; it has ended.

        Raises:
            InvokeFailed: it did not complete.
            InvalidValue: its output is not what its annotation says.
        """
        if outcome.state == "failed":
            raise invoke_failed(self.function, outcome)
        try:
            return self.codec.read(outcome.payload or b"null")
        except UNFIT as error:
            raise InvalidValue(
                f"{what}: what {self.function} has returned is not what it is annotated to return: {reason(error)}"
            ) from None


def invocation(app: str, function: object, data: object, timeout: Duration | None, detach: object) -> Invocation:
    """Reads what `step.invoke` is given.

    Args:
        app: id of the app that calls, for errors.
        function, data, timeout, detach: as given.

    Raises:
        InvalidStep: it is no function, or `detach` is no bool.
        InvalidValue: the data is no JSON object.
        InvalidDuration: the timeout cannot be read.
    """
    if type(detach) is not bool:
        raise InvalidStep(f"detach is True or False, not {detach!r:.100}")
    return Invocation(
        _name(app, function),
        object_of(data),
        None if timeout is None else milliseconds(timeout),
        detach,
        function.output if isinstance(function, Function) else Plain(),
    )


def object_of(data: object) -> bytes:
    """The data of the event a function is started with, as JSON.

    Raises:
        InvalidValue: it is no JSON object.
    """
    try:
        known = to_jsonable_python({} if data is None else data, inf_nan_mode="constants")
        payload = orjson.dumps(known)
    except UNFIT as error:
        raise InvalidValue(f"the data of an invoke is no JSON: {error}") from None
    if not isinstance(known, Mapping):
        raise InvalidValue(
            f"the data of an invoke is an object, a dict or a model, as that of an event, not {data!r:.100}"
        )
    return payload


def invoke_failed(function: str, outcome: Outcome) -> InvokeFailed:
    """What the handler is told about a function that did not complete."""
    error: dict[str, Any] = orjson.loads(outcome.payload)
    return InvokeFailed(outcome.key, function, error.get("run_id") or "", error["type"], error["message"])


def _name(app: str, function: object) -> str:
    if isinstance(function, Function):
        return function.name
    if isinstance(function, str) and NAME.fullmatch(function):
        return function
    if isinstance(function, str):
        shown = function if re.fullmatch(ID, function) else "pack"
        raise InvalidStep(f'a function is named with its app, "{app}/{shown}", not {function!r:.100}')
    raise InvalidStep(
        "invoke takes what @app.function(…) has made, or the name of a function with its app, "
        f'"{app}/pack", not {function!r:.100}'
    )
