"""JSON that somebody types into a form."""

from typing import Any, cast

from stepwell.dashboard.wording.payloads import laid_out
from stepwell.platform.codec import MalformedJSON, UnencodableJSON, decode
from stepwell.platform.steering.refusals import NotSteered


class Mistyped(ValueError):
    """What was typed cannot be used; the message says where and why."""


REFUSED = (Mistyped, NotSteered, UnencodableJSON)
"""What keeps something that was typed from being done."""


def why(refusal: Exception) -> str:
    """What the form says of one of `REFUSED`."""
    return "what was typed is nested too deep to be kept" if isinstance(refusal, UnencodableJSON) else str(refusal)


def typed_json(text: str, what: str) -> Any:
    """The value of some JSON text. Raises `Mistyped`."""
    try:
        return decode(text)
    except MalformedJSON as error:
        raise Mistyped(f"{what} is no JSON: {error}") from None


def typed_object(text: str, what: str) -> dict[str, Any]:
    """The JSON object that was typed. Raises `Mistyped`."""
    value = typed_json(text, what)
    if not isinstance(value, dict):
        raise Mistyped(f'{what} is no JSON object: it has to look like {{"name": …}}')
    return cast("dict[str, Any]", value)


def to_type(json: bytes) -> str:
    """JSON as text to be changed: on several lines, with all its digits and the order of its keys."""
    return "".join(token.text for token in laid_out(json.decode()))
