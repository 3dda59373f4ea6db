"""A function: what starts it, what limits it, and the handler that runs."""

from __future__ import annotations

import functools
import inspect
import typing
from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar

from pydantic import ValidationError

from stepwell.functions.annotations import first_parameter, resolve, underlying
from stepwell.functions.concurrency import Concurrency
from stepwell.functions.controls import Controls
from stepwell.functions.errors import InvalidHandler, InvalidValue
from stepwell.functions.protocol import FunctionManifest
from stepwell.functions.registration import registration
from stepwell.functions.retries import Retries
from stepwell.functions.triggers import Trigger
from stepwell.functions.values import Bodies, Codec, Typed, codec_of, reason

R = TypeVar("R")


class Function(Generic[R]):
    """A handler with its triggers and controls, as `App.function` makes it.

    Args:
        app: id of its app.
        id: its own id.
        handler: `def` or `async def`, called with the context.
        triggers: what starts it.
        retries: how failed steps, and errors outside steps, are tried again.
        controls: what limits its runs.
        scope: local names where the handler was defined, for annotations written as text.

    Raises:
        InvalidHandler: the handler is a class, a generator, or cannot be called with one argument.
    """

    __slots__ = (
        "__weakref__",
        "_context",
        "_data",
        "_output",
        "app",
        "bodies",
        "controls",
        "handler",
        "id",
        "is_async",
        "retries",
        "triggers",
    )

    def __init__(
        self,
        app: str,
        id: str,
        handler: Callable[[Any], Any],
        triggers: tuple[Trigger, ...],
        retries: Retries,
        controls: Controls,
        scope: Mapping[str, Any] | None = None,
    ) -> None:
        check_handler(f"{app}/{id}", handler)
        self.app = app
        self.id = id
        self.handler = handler
        self.triggers = triggers
        self.retries = retries
        self.controls = controls
        self.is_async = inspect.iscoroutinefunction(underlying(handler))
        self.bodies = Bodies()
        self._context = _early(handler, scope)
        self._data: tuple[Typed | None] | None = None
        self._output: Codec | None = None

    @property
    def name(self) -> str:
        """`app-id/function-id`."""
        return f"{self.app}/{self.id}"

    @property
    def concurrency(self) -> tuple[Concurrency, ...]:
        """How many runs may execute at once."""
        return self.controls.concurrency

    @property
    def manifest(self) -> FunctionManifest:
        """What the platform is told about it."""
        return registration(self.id, self.triggers, self.retries, self.controls)

    @property
    def output(self) -> Codec:
        """How the handler's result is written.

        Raises:
            InvalidValue: pydantic cannot write its return annotation.
        """
        if self._output is None:
            self._output = codec_of(underlying(self.handler))
        return self._output

    def read(self, data: Any, whose: str = "the event's data") -> Any:
        """The data of an event as the handler's annotation `Context[Order]` wants it; as it is without one.

        Args:
            data: parsed JSON.
            whose: it is, for errors.

        Raises:
            InvalidValue: it does not validate.
        """
        codec = self._data_codec()
        if codec is None:
            return data
        try:
            return codec.validate(data)
        except ValidationError as error:
            raise InvalidValue(f"{self.name}: {whose} is not what the handler takes: {reason(error)}") from None

    def _data_codec(self) -> Typed | None:
        if self._data is None:
            wanted = self._data_annotation()
            self._data = (Typed(wanted) if wanted not in (None, Any) else None,)
        return self._data[0]

    def _data_annotation(self) -> Any:
        annotation = self._context if self._context is not None else first_parameter(self.handler)
        try:
            hint = resolve(underlying(self.handler), annotation)
        except NameError as error:
            raise InvalidValue(
                f"{self.name}: the handler's annotation {annotation!r} cannot be read ({error}): "
                "import its names at run time, not only for type checkers"
            ) from None
        return next(iter(typing.get_args(hint)), None)

    def __repr__(self) -> str:
        return f"<Function {self.name}>"


def check_handler(name: str, handler: object) -> None:
    """Refuses what cannot be called as a handler.

    Raises:
        InvalidHandler: it is a class, a generator, no function at all, or takes no context.
    """
    plain = handler
    while isinstance(plain, functools.partial):
        plain = plain.func
    if not (inspect.isfunction(plain) or inspect.ismethod(plain)):
        what = "a class" if inspect.isclass(plain) else f"{type(plain).__name__!r}"
        raise InvalidHandler(f"{name}: a handler is a `def` or `async def` function, not {what}")
    if inspect.isgeneratorfunction(plain) or inspect.isasyncgenfunction(plain):
        raise InvalidHandler(f"{name}: a handler is not a generator: it returns its output, and has no `yield`")
    try:
        inspect.signature(typing.cast("Callable[..., Any]", handler)).bind(None)
    except TypeError:
        raise InvalidHandler(f"{name}: a handler takes one argument, the context: def {plain.__name__}(ctx)") from None


def _early(handler: Callable[..., Any], scope: Mapping[str, Any] | None) -> Any:
    """The context's annotation, if its names are known already; they may also come later in the module."""
    try:
        return resolve(underlying(handler), first_parameter(handler), scope)
    except NameError:
        return None
