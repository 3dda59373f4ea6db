"""Expressions in query strings, and pages of what was searched."""

from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from pydantic import Field
from starlette.requests import Request

from stepwell.platform.api.models.answer import Found
from stepwell.platform.api.problems import Problem
from stepwell.platform.api.scopes import Scope, required
from stepwell.platform.expressions import Expression, ExpressionError
from stepwell.platform.reading.pages import BadCursor, Page

T = TypeVar("T")
MOST_CHARACTERS = 4_096


def q(example: str) -> Any:
    """The parameter that an expression is given with."""
    about = f"an expression that is true of them, such as `{example}`; see docs/search.md"
    return Field(default=None, max_length=MOST_CHARACTERS, description=about)


def check_search(request: Request, text: str | None) -> None:
    """Raises a `Problem` when the caller gives an expression, and may not see what it could find out by one."""
    if text is not None:
        required(request, Scope.READ).require_payloads()


def understood(text: str | None, understand: Callable[[str], Expression], variables: str) -> Expression | None:
    """The expression of `q`. Raises a `Problem` with the column of what is wrong."""
    try:
        return None if text is None else understand(text)
    except ExpressionError as error:
        hint = f"It is an expression over {variables}"
        raise Problem(400, "invalid_expression", f"q, column {error.column}: {error.message}", hint) from None


async def searched(page: Coroutine[Any, Any, Page[T]]) -> Page[T]:
    """The page. Raises a `Problem` when the cursor is none."""
    try:
        return await page
    except BadCursor as error:
        raise Problem(400, "bad_cursor", str(error), "Leave it out to begin at the newest") from None


def found(data: list[T], page: Page[Any]) -> Found[T]:
    """The page as it is answered with."""
    return Found[T](data=data, next=page.next, searched=page.searched, total=page.total, undecided=page.undecided)
