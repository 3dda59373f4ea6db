"""Lengths of time as the SDK protocol writes them."""

from stepwell.functions import durations
from stepwell.functions.errors import InvalidDuration


def milliseconds(text: str) -> int:
    """A duration such as "1s", "2h45m" or "1.5h" in ms, rounded up.

    Raises `ValueError`, which says what is wrong with it.
    """
    if not isinstance(text, str):  # pyright: ignore[reportUnnecessaryIsInstance] - it comes from elsewhere
        raise ValueError(f'a duration is text such as "5m" or "1h30m", not {text!r:.100}')
    try:
        return durations.milliseconds(text.strip())
    except InvalidDuration as error:
        raise ValueError(str(error)) from None
