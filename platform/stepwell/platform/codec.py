"""Bytes to objects and back. The only file of the platform that knows the JSON library."""

from typing import Any

import orjson

MalformedJSON = orjson.JSONDecodeError
UnencodableJSON = orjson.JSONEncodeError


def encode(value: Any) -> bytes:
    """Compact JSON. Raises `UnencodableJSON` for what JSON cannot hold."""
    return orjson.dumps(value)


def decode(data: bytes | bytearray | memoryview | str) -> Any:
    """Parses JSON. Raises `MalformedJSON`."""
    return orjson.loads(data)
