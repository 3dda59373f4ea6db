"""JSON that others have written, in answers and requests."""

from typing import Any

from stepwell.platform.codec import MalformedJSON, UnencodableJSON, decode, encode
from stepwell.platform.incoming import MAX_DEPTH


def decode_given(data: bytes) -> Any:
    """Parses JSON that can be written again, too, and inside something else. Raises `MalformedJSON`."""
    value = decode(data)
    if data.count(b"{") + data.count(b"[") > MAX_DEPTH:  # what is deep is also long
        try:
            encode([[[[value]]]])
        except UnencodableJSON:
            raise MalformedJSON(f"nested more than {MAX_DEPTH} levels deep", "", 0) from None
    return value
