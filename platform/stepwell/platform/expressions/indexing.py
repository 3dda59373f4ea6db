"""Values as words of an index."""

import math
from typing import Any

from stepwell.platform.ids import digest_of

LONGEST = 100
"""Characters of a value in an index; a longer one is there by its digest."""


def index_value(value: Any) -> str | None:
    """The word of a scalar: two are the same exactly when `==` calls the values equal.

    `None` says nothing at all, least of all that two are equal: lists, maps and what is not of JSON are not indexable,
    and NaN is equal to nothing.
    """
    if value is None:
        return "null"
    if type(value) is bool:
        return "true" if value else "false"
    if type(value) is str:
        return f"s:{value}" if len(value) <= LONGEST else f"d:{digest_of(value)}"
    if type(value) is int or type(value) is float:
        return _number(value)
    return None


def _number(value: int | float) -> str | None:
    if math.isnan(value):
        return None
    whole = type(value) is int or float(value).is_integer()
    digits = str(int(value)) if whole else repr(value)
    return f"n:{digits}" if len(digits) <= LONGEST else f"m:{digest_of(digits)}"
