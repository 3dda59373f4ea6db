"""What it means to a caller when HTTP fails."""

from __future__ import annotations

import aiohttp
from aiohttp.http_exceptions import ContentEncodingError

from stepwell.client.body import Stalled
from stepwell.client.errors import BrokeOff, Unexpected, Unreachable

# Most of what the network says comes as a ClientError; the rest, with expired time limits, is an OSError.
FAILURES = (aiohttp.ClientError, OSError)


def broken(error: Exception, url: str) -> BrokeOff | Unexpected:
    """The error for an answer that had begun; arguments as in `failure`."""
    match error:
        case TimeoutError():
            return BrokeOff(url, _expired(error))
        case aiohttp.ClientPayloadError(__cause__=ContentEncodingError()):
            return Unexpected(url, "answered with what cannot be decompressed")
        case _:
            return BrokeOff(url, "the answer broke off before its end")


def failure(error: Exception, url: str) -> Unreachable | Unexpected:
    """The error for a request that got no answer, on one line.

    The texts of aiohttp are used only where they cannot hold the URL of the request, since that may hold a key.

    Args:
        error: one of `FAILURES`.
        url: address of the server, without keys.
    """
    match error:
        case Stalled():
            return Unreachable(url, "nothing of the request was taken within the time limit")
        case TimeoutError():
            return Unreachable(url, _expired(error))
        case aiohttp.InvalidURL():
            return Unexpected(url, f"cannot be called ({error.description or 'not a valid URL'})")
        case aiohttp.ClientHttpProxyError():
            return Unreachable(url, f"the proxy answered {error.status} {error.message}")
        case aiohttp.ClientResponseError():
            first, *_ = error.message.splitlines() or [""]
            return Unexpected(url, f"answered with what is not HTTP ({first.rstrip(':')})")
        case aiohttp.ServerDisconnectedError():
            return Unreachable(url, "the connection was closed before there was an answer")
        case aiohttp.ClientConnectorError(__cause__=ConnectionRefusedError()):
            return Unreachable(url, f"{error.host}:{error.port} refused the connection")  # maybe that of a proxy
        case aiohttp.ClientConnectorError():
            return Unreachable(url, str(error.__cause__ or error))
        case _:
            return Unreachable(url, str(error) or type(error).__name__)


def _expired(error: Exception) -> str:
    return f"nothing came within the time limit ({type(error).__name__})"
