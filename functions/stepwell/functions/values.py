"""How the values of steps and functions become JSON and come back.

What a callable returns is read and written by its return annotation with pydantic: models, dataclasses, datetime,
Decimal, UUID, bytes and all else pydantic knows. Without an annotation only plain JSON is taken. What a step gives is
what was read back from its record, on the first execution as on every replay, so that a handler never sees two versions
of one value.
"""

from __future__ import annotations

import inspect
import math
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import is_dataclass
from types import FunctionType
from typing import Any, Final, Protocol, cast

import orjson
from pydantic import (
    BaseModel,
    ConfigDict,
    PydanticSchemaGenerationError,
    PydanticUserError,
    TypeAdapter,
    ValidationError,
)
from typing_extensions import is_typeddict

from stepwell.functions.annotations import resolve, underlying
from stepwell.functions.errors import InvalidValue, LimitExceeded

OUTPUT_LIMIT: Final = 4 * 1024 * 1024
OUTPUT_SETTING: Final = "STEPWELL_MAX_OUTPUT_BYTES"
PLAIN: Final = orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME
UNFIT: Final = (TypeError, ValueError, RecursionError)  # what a codec raises when a value does not fit
# pydantic writes bytes as UTF-8 by default, which most bytes are not.
CONFIG: Final = ConfigDict(ser_json_bytes="base64", val_json_bytes="base64")


class Codec(Protocol):
    """Writes and reads the values of one annotation; `write` also gives what will be read."""

    def write(self, value: Any) -> tuple[bytes, Any]: ...
    def read(self, payload: bytes) -> Any: ...


class Plain:
    """JSON as it is: nothing that would come back as something else, but for tuples, which come back as lists."""

    __slots__ = ()

    def write(self, value: Any) -> tuple[bytes, Any]:
        if value is None:
            return b"null", None
        payload = orjson.dumps(value, option=PLAIN)
        read = orjson.loads(payload)
        # orjson writes NaN as null, and enums and UUIDs as text; what differs after a round trip is looked at closely.
        if read != value:
            for path, strange in _strange(value, "it"):
                raise ValueError(f"{path} is {strange!r} ({type(strange).__name__}), which JSON cannot carry")
        return payload, read

    def read(self, payload: bytes) -> Any:
        return orjson.loads(payload)


class Typed:
    """Values of one annotation, by pydantic."""

    __slots__ = ("adapter",)

    def __init__(self, annotation: Any) -> None:
        self.adapter: TypeAdapter[Any] = TypeAdapter(annotation, config=None if _has_config(annotation) else CONFIG)

    def write(self, value: Any) -> tuple[bytes, Any]:
        payload = self.adapter.dump_json(value, warnings="error", round_trip=True, by_alias=True)
        return payload, self.read(payload)

    def read(self, payload: bytes) -> Any:
        return self.adapter.validate_json(payload, by_alias=True)

    def validate(self, value: Any) -> Any:
        """Parsed JSON as the annotation wants it."""
        return self.adapter.validate_json(orjson.dumps(value), by_alias=True)


SCALARS: Final = (int, str, bool)


class Scalar(Typed):
    """Values of one plain type, which JSON carries as they are: most of them need no pydantic."""

    __slots__ = ("_type",)

    def __init__(self, annotation: type) -> None:
        super().__init__(annotation)
        self._type = annotation

    def write(self, value: Any) -> tuple[bytes, Any]:
        if type(value) is self._type:
            try:
                return orjson.dumps(value), value
            except orjson.JSONEncodeError:  # an integer above 64 bits, a lone surrogate
                pass
        return super().write(value)


class Body:
    """A callable as a step's body: whether it is `async def`, and how its values are written and read."""

    __slots__ = ("annotation", "codec", "is_async", "name")

    def __init__(self, function: Callable[..., Any], annotation: object) -> None:
        self.name: str = getattr(function, "__qualname__", type(function).__qualname__)
        self.annotation = annotation
        self.is_async = inspect.iscoroutinefunction(function)
        self.codec = _codec(function, annotation)


class Bodies:
    """The bodies of one function's steps, each looked into once.

    They are kept by code object, so that neither a closure nor what it holds is kept alive.
    """

    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known: dict[object, Body] = {}

    def of(self, body: Callable[..., Any]) -> Body:
        """What is known about a body.

        Raises:
            InvalidValue: pydantic cannot write its return annotation.
        """
        function = body if type(body) is FunctionType else underlying(body)
        if type(function) is FunctionType:
            annotation = function.__annotations__.get("return")
            known = self._known.get(function.__code__)
            # A closure's annotation may name a class of its own each time, though its code is the same.
            if known is None or known.annotation is not annotation:
                known = self._known[function.__code__] = Body(function, annotation)
            return known
        return Body(function, None)


def codec_of(function: Callable[..., Any]) -> Codec:
    """The codec of a callable's return annotation.

    Raises:
        InvalidValue: pydantic cannot write what it says.
    """
    return _codec(function, getattr(function, "__annotations__", {}).get("return"))


def check_size(payload: bytes, what: str, limit: int) -> None:
    """Refuses an output that is too large.

    Raises:
        LimitExceeded: it has more than `limit` bytes.
    """
    if len(payload) > limit:
        raise LimitExceeded(
            f"{what} gave {len(payload):,} bytes, and an output has at most {limit:,} (setting {OUTPUT_SETTING}): "
            "store it elsewhere and give its address"
        )


def reason(error: Exception) -> str:
    """Why a value could not be written or read, in one line."""
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        # What a validator of the user's own says needs no word of pydantic's in front.
        said = first["msg"].removeprefix("Value error, ").removeprefix("Assertion failed, ")
        return f"{where + ': ' if where else ''}{said} (got {first['input']!r:.200})"
    return " ".join(str(error).split())


def _has_config(annotation: Any) -> bool:
    """Whether pydantic takes the configuration of a type from the type alone."""
    if not isinstance(annotation, type):
        return False
    made: type[Any] = annotation
    return issubclass(made, BaseModel) or is_dataclass(made) or is_typeddict(made)


def _codec(function: Callable[..., Any], annotation: object) -> Codec:
    try:
        resolved = resolve(function, annotation)
    except NameError:  # a name imported only for type checkers
        return Plain()
    if resolved is None or resolved is Any or resolved is object or isinstance(resolved, typing.TypeVar):
        return Plain()
    try:
        return Scalar(resolved) if resolved in SCALARS else Typed(resolved)
    except (PydanticSchemaGenerationError, PydanticUserError) as error:
        name = getattr(function, "__qualname__", repr(function))
        raise InvalidValue(
            f"{name} is annotated to return {resolved!r}, which pydantic cannot write: {reason(error)}"
        ) from error


def _strange(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Where plain JSON would lose something, each with its path."""
    for key, item in _items(value):
        yield from _strange(item, f"{path}[{key!r}]")
    if not isinstance(value, (dict, list, tuple)) and not _is_json(value):
        yield path, value


def _items(value: Any) -> Iterable[tuple[Any, Any]]:
    if isinstance(value, dict):
        return cast("Mapping[Any, Any]", value).items()
    return enumerate(cast("Sequence[Any]", value)) if isinstance(value, (list, tuple)) else ()


def _is_json(value: Any) -> bool:
    if type(value) is float:
        return math.isfinite(value)
    return value is None or type(value) in (str, int, bool)
