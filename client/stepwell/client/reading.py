"""Turning answers of the API into records, and bounding how long to wait for one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from stepwell.client.answers import field
from stepwell.client.errors import Unexpected
from stepwell.client.records import Page

T = TypeVar("T")


def read(kind: TypeAdapter[T], answer: Any, url: str) -> T:
    """The `data` of an answer as a record.

    Raises:
        Unexpected: `data` is missing or has another shape.
    """
    try:
        return kind.validate_python(field(answer, "data", url))
    except ValidationError as error:
        wrong = error.errors(include_url=False)[0]
        where = ".".join(map(str, wrong["loc"]))
        raise Unexpected(url, f"answered with data that is not understood ({where}: {wrong['msg']})") from error


def page(kind: TypeAdapter[tuple[T, ...]], answer: Any, url: str) -> Page[T]:
    """An answer that holds part of a list; raises as `read` does."""
    told = answer.get("searched"), answer.get("total"), answer.get("undecided") or 0
    return Page(read(kind, answer, url), answer.get("next"), *told)


async def within(timeout: float | None, work: Awaitable[T], what: str) -> T:
    """The result of `work`, in at most `timeout` seconds; raises a TimeoutError that says what was waited for."""
    if timeout is None:
        return await work
    try:
        async with asyncio.timeout(timeout):
            return await work
    except TimeoutError:
        raise TimeoutError(f"{what} within {timeout:g} s") from None
