"""Annotations of callables, one at a time: what the others say, and whether they can be read, does not matter."""

from __future__ import annotations

import functools
import inspect
import typing
from collections.abc import Callable, Mapping
from types import FunctionType, MethodType
from typing import Any


def underlying(function: Callable[..., Any]) -> Callable[..., Any]:
    """The plain function under partials, methods and callable objects; anything else as it is."""
    while type(function) is not FunctionType:
        if isinstance(function, functools.partial):
            function = function.func
        elif isinstance(function, MethodType):
            function = function.__func__
        elif not isinstance(function, type) and isinstance(vars(type(function)).get("__call__"), FunctionType):
            function = vars(type(function))["__call__"]
        else:
            break
    return function


def resolve(function: Callable[..., Any], annotation: object, scope: Mapping[str, Any] | None = None) -> Any:
    """An annotation of `function` as a type, text looked up where the function was defined; None when it is None.

    Args:
        function: its globals are searched.
        annotation: a type, or text.
        scope: local names at the place of definition, searched first.

    Raises:
        NameError: a name is not known there, such as one imported only for type checkers.
    """
    carrier = FunctionType((lambda: None).__code__, getattr(function, "__globals__", {}))
    carrier.__annotations__ = {"it": annotation}
    hint = typing.get_type_hints(carrier, localns=dict(scope or {}), include_extras=True)["it"]
    return None if hint is type(None) else hint


def first_parameter(handler: Callable[..., Any]) -> object:
    """The annotation of a handler's context; None when there is none."""
    parameter = next(iter(inspect.signature(handler).parameters.values()))
    return None if parameter.annotation is inspect.Parameter.empty else parameter.annotation
