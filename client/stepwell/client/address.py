"""Where the server is, and with which keys to call it."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import quote, urlsplit

DEFAULT_URL = "http://127.0.0.1:8288"


@dataclass(frozen=True, slots=True)
class Address:
    """A server's URL and the keys for it.

    Args:
        url: http(s) origin, with a path prefix if the server is mounted under one.
        key: event key, which allows sending.
        api_key: API key, which allows reading and steering; None where the server asks for none.

    Raises:
        ValueError: `url` is not an http or https address.
    """

    url: str
    key: str = field(repr=False)
    api_key: str | None = field(repr=False)

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"{self.url!r} is no server address; write it as {DEFAULT_URL}")

    @classmethod
    def of(cls, url: str | None, key: str | None, api_key: str | None) -> Self:
        """What was given, else STEPWELL_URL, STEPWELL_EVENT_KEY and STEPWELL_API_KEY, else a `stepwell dev` here."""
        return cls(
            (url or os.environ.get("STEPWELL_URL") or DEFAULT_URL).rstrip("/"),
            key or os.environ.get("STEPWELL_EVENT_KEY") or "dev",
            api_key or os.environ.get("STEPWELL_API_KEY") or None,
        )

    @property
    def secure(self) -> bool:
        """Whether the server is reached over TLS."""
        return self.url.startswith("https:")

    @property
    def ingest(self) -> str:
        """Path that events are posted to; it holds the event key, so it belongs in no message."""
        return f"/e/{quote(self.key, safe='')}"

    def headers(self) -> dict[str, str]:
        """Headers that authorise reading and steering."""
        return {"Authorization": f"Bearer {self.api_key}"} if self.api_key else {}
