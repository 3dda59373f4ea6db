"""An app: the functions that are deployed together."""

from __future__ import annotations

import hashlib
import inspect
import re
import sys
from collections.abc import Awaitable, Callable, Iterable, Mapping
from functools import wraps
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Concatenate, Final, ParamSpec, Protocol, TypeVar, overload

import orjson

from stepwell.functions.cancelling import CancelOn, cancellations
from stepwell.functions.concurrency import Concurrency, clashes, concurrencies
from stepwell.functions.context import Context, SyncContext
from stepwell.functions.controls import Controls
from stepwell.functions.errors import DefinitionError, DuplicateFunction, InvalidControl, InvalidId, InvalidTrigger
from stepwell.functions.failed import RunFailed, failures_of
from stepwell.functions.function import Function, check_handler
from stepwell.functions.gathering import Batch, Debounce
from stepwell.functions.gathering import batch as batch_of
from stepwell.functions.gathering import debounce as debounce_of
from stepwell.functions.ids import ID, ID_CHARACTERS, VERSION, check_id
from stepwell.functions.limits import Idempotency, Timeouts
from stepwell.functions.limits import idempotency as idempotency_of
from stepwell.functions.limits import timeouts as timeouts_of
from stepwell.functions.ordering import Fairness, Priority
from stepwell.functions.ordering import fairness as fairness_of
from stepwell.functions.ordering import priority as priority_of
from stepwell.functions.protocol import Manifest
from stepwell.functions.retries import Retries
from stepwell.functions.retries import retries as policy_of
from stepwell.functions.starts import RateLimit, Singleton, Throttle
from stepwell.functions.starts import rate_limit as rate_limit_of
from stepwell.functions.starts import singleton as singleton_of
from stepwell.functions.starts import throttle as throttle_of
from stepwell.functions.triggers import Trigger, triggers

if TYPE_CHECKING:
    from stepwell.functions.served.served import Served

D = TypeVar("D")
P = ParamSpec("P")
R = TypeVar("R")


ON_FAILURE: Final = ".on_failure"
Definition = tuple[tuple[Trigger, ...], Retries, Controls]
FailureHandler = Callable[[Context[RunFailed]], Awaitable[Any]] | Callable[[SyncContext[RunFailed]], Any]
"""What `on_failure=` takes."""


class Registering(Protocol):
    """The decorator that `App.function` gives: a handler goes in, a `Function` comes out."""

    @overload
    def __call__(self, handler: Callable[[Context[D]], Awaitable[R]], /) -> Function[R]: ...
    @overload
    def __call__(self, handler: Callable[[SyncContext[D]], R], /) -> Function[R]: ...


def spelt_out(method: Callable[Concatenate[App, P], Registering]) -> Callable[Concatenate[App, P], Registering]:
    """`App.function`, which says how it is written to those who forget its arguments."""

    @wraps(method)
    def call(app: App, /, *args: P.args, **kwargs: P.kwargs) -> Registering:
        if args or "on" not in kwargs:
            given = args[0] if args else None
            name = f"{app.id}/{given.__name__}" if inspect.isfunction(given) else f"app {app.id!r}"
            event = given if isinstance(given, str) else "order.placed"
            raise InvalidTrigger(f'{name}: what starts a function comes by name: write @app.function(on="{event}")')
        return method(app, *args, **kwargs)

    return call


class App:
    """Functions that are deployed together.

    Args:
        id: 1 to 64 of A-Z a-z 0-9 . _ - that begin with a letter or digit.
        version: of this deployment; by default a hash of what is registered, so that it changes when that does.

    Raises:
        InvalidId: the id is not allowed.
    """

    def __init__(self, id: str, version: str | None = None) -> None:
        self.id = check_id("app", id)
        if version is not None and not re.fullmatch(VERSION, version):
            raise DefinitionError(
                f"app {id!r}: version {version!r} is not allowed: use 1 to 128 printable ASCII characters, no spaces"
            )
        self._version = version
        self._functions: dict[str, Function[Any]] = {}

    @property
    def functions(self) -> Mapping[str, Function[Any]]:
        """The functions by their id, in the order they were defined."""
        return MappingProxyType(self._functions)

    @property
    def version(self) -> str:
        """The version given, or a hash that is the same for the same functions whatever their order."""
        return self._version or self._hash()

    @property
    def manifest(self) -> Manifest:
        """What is registered with the platform."""
        return Manifest(
            id=self.id, version=self.version, functions=[function.manifest for function in self._functions.values()]
        )

    @spelt_out
    def function(
        self,
        *,
        on: str | Trigger | Iterable[str | Trigger],
        id: str | None = None,
        retries: int | Retries | None = None,
        concurrency: int | Concurrency | Iterable[int | Concurrency] | None = None,
        throttle: Throttle | None = None,
        rate_limit: RateLimit | None = None,
        debounce: Debounce | None = None,
        batch: Batch | None = None,
        priority: str | Priority | None = None,
        singleton: Singleton | None = None,
        fairness: str | Fairness | None = None,
        cancel_on: CancelOn | Iterable[CancelOn] | None = None,
        timeouts: Timeouts | None = None,
        idempotency: str | Idempotency | None = None,
        on_failure: FailureHandler | None = None,
    ) -> Registering:
        """Makes a function of the handler it decorates.

        Args:
            on: event name ("order.placed", "order.*"), `event(…)`, `cron(…)`, or a list of them.
            id: its id; by default the handler's name.
            retries: of failed steps and of errors outside steps; an int is how often. Default: 4.
            concurrency: how many runs may execute at once; an int is a limit without a key.
            throttle: how often runs begin; those beyond wait.
            rate_limit: how often runs are started; events beyond start nothing.
            debounce: how long events have to stop for the last one to start a run.
            batch: how many events start one run together; not with `debounce`.
            priority: which runs execute first; a text is the expression of a `Priority`.
            singleton: whether a run is started beside one that is under way.
            fairness: whose runs take turns; a text is the key of a `Fairness`.
            cancel_on: events that cancel its runs.
            timeouts: how long its runs may take.
            idempotency: which events start only one run; a text is the key of an `Idempotency`.
            on_failure: a handler that is called, as a function of its own with the id "ID.on_failure", when a run has
                failed.

        Raises:
            DefinitionError: one of its children, with a text that names the function.
        """
        return _Decorator(
            self,
            id,
            lambda: (
                triggers(on),
                policy_of(retries),
                Controls(
                    concurrency=concurrencies(concurrency),
                    cancel_on=cancellations(cancel_on),
                    timeouts=timeouts_of(timeouts),
                    idempotency=idempotency_of(idempotency),
                    throttle=throttle_of(throttle),
                    rate_limit=rate_limit_of(rate_limit),
                    debounce=debounce_of(debounce),
                    batch=batch_of(batch),
                    priority=priority_of(priority),
                    singleton=singleton_of(singleton),
                    fairness=fairness_of(fairness),
                ),
            ),
            on_failure,
        )

    def serve(
        self,
        *,
        url: str | None = None,
        server: str | None = None,
        signing_key: str | None = None,
        signing_key_fallback: str | None = None,
    ) -> Served:
        """The functions as an ASGI application, which the server calls; `.wsgi` of it is a WSGI application.

        To be mounted at any path of a web application, and added to the server with `stepwell apps add ADDRESS`.

        Args:
            url: where the server reaches it; by default the address at which it is asked to register.
            server: address of the server; by default STEPWELL_URL, else that of a `stepwell dev` on this machine.
            signing_key: that the server has, too; by default STEPWELL_SIGNING_KEY. With none, only this machine is
                served.
            signing_key_fallback: another one, while keys are changed; by default STEPWELL_SIGNING_KEY_FALLBACK.

        Raises:
            DefinitionError: the address of the server is none, or a key means nothing.
        """
        # Who has a worker needs no HTTP, which takes long to import.
        from stepwell.functions.served.environment import Environment
        from stepwell.functions.served.served import Served

        return Served(self, Environment.of(server, signing_key, signing_key_fallback), url)

    def _add(self, *functions: Function[Any]) -> None:
        """Adds all of them, or none."""
        for function in functions:
            if function.id in self._functions:
                raise DuplicateFunction(
                    f"app {self.id!r} has a function {function.id!r} already: give one of them another id=, "
                    f"{_place(self._functions[function.id])} or {_place(function)}"
                )
            self._check_shared(function)
        self._functions.update((function.id, function) for function in functions)

    def _check_shared(self, function: Function[Any]) -> None:
        for other in self._functions.values():
            for clash in clashes(other.concurrency, function.concurrency):
                raise InvalidControl(f"{other.name} and {function.name} share {clash}: give both the same")

    def _hash(self) -> str:
        shape = sorted(
            # Without defaults, so that it stays the same when a control is added that nobody uses yet.
            (one.manifest.model_dump(mode="json", exclude_defaults=True) for one in self._functions.values()),
            key=lambda one: one["id"],
        )
        return hashlib.sha256(orjson.dumps([self.id, shape], option=orjson.OPT_SORT_KEYS)).hexdigest()[:12]

    def __repr__(self) -> str:
        return f"App({self.id!r})"


class _Decorator:
    __slots__ = ("_app", "_define", "_id", "_on_failure")

    def __init__(
        self, app: App, id: str | None, define: Callable[[], Definition], on_failure: FailureHandler | None
    ) -> None:
        self._app = app
        self._id = id
        self._define = define
        self._on_failure = on_failure

    def __call__(self, handler: Callable[[Any], Any], /) -> Function[Any]:
        scope = sys._getframe(1).f_locals  # pyright: ignore[reportPrivateUsage]
        name = self._id if self._id is not None else str(getattr(handler, "__name__", handler))
        full = f"{self._app.id}/{name}"
        check_handler(full, handler)
        check_id("function", name)
        try:
            definition = self._define()
        except DefinitionError as error:
            raise type(error)(f"{full}: {error}") from None
        made: Function[Any] = Function(self._app.id, name, handler, *definition, scope)
        self._app._add(made, *self._failure(made, scope))  # pyright: ignore[reportPrivateUsage]
        return made

    def _failure(self, of: Function[Any], scope: Mapping[str, Any]) -> list[Function[Any]]:
        """The function that is run when the other one has failed, if there is one."""
        if self._on_failure is None:
            return []
        name = f"{of.id}{ON_FAILURE}"
        if not re.fullmatch(ID, name):
            most = ID_CHARACTERS - len(ON_FAILURE)
            raise InvalidId(f"{of.name}: with on_failure= a function's id has at most {most} characters")
        started_by = (failures_of(of.name),)
        return [Function(of.app, name, self._on_failure, started_by, Retries(), Controls(), scope)]


def _place(function: Function[Any]) -> str:
    code = getattr(function.handler, "__code__", None)
    return f"{code.co_filename}:{code.co_firstlineno}" if code else repr(function.handler)
