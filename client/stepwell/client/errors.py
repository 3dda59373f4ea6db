"""What can go wrong between an application and a Stepwell server.

    ClientError
    ├── Unreachable        no answer: nothing listens there, or the connection broke
    ├── Unexpected         an answer, but not one that a Stepwell server gives
    └── Answered           the server answered and did not do it: status, code, message, hint
        ├── Busy           429, 503: not now; retry_after says when
        ├── Faulty         any other 5xx: a fault on the server's side
        └── Refused        4xx: the request itself is wrong, so the same request is never tried again
            ├── Unauthorized   401, 403
            ├── NotFound       404
            └── TooLarge       413

Unreachable, Busy and Faulty are raised only after the last try that `Retry` allows.
"""

from __future__ import annotations

from typing import ClassVar


class ClientError(Exception):
    """Base of everything this package raises about the server."""

    retriable: ClassVar[bool] = False


class Unreachable(ClientError):
    """No answer came from the server.

    Args:
        url: address that was tried, without keys.
        reason: what the network said.
    """

    retriable = True

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(url, reason)
        self.url = url
        self.reason = reason

    def __str__(self) -> str:
        return (
            f"no answer from {self.url}: {self.reason}. Start a server with `stepwell dev`, "
            "or set STEPWELL_URL to the address of the one that runs"
        )


class BrokeOff(Unreachable):
    """The answer had begun, and its connection broke before its end."""


class Unexpected(ClientError):
    """Something answered that does not speak as a Stepwell server does.

    Args:
        url: address that was asked, without keys.
        answer: what came back, in a few words.
    """

    def __init__(self, url: str, answer: str) -> None:
        super().__init__(url, answer)
        self.url = url
        self.answer = answer

    def __str__(self) -> str:
        return f"{self.url} {self.answer}: is STEPWELL_URL the address of a Stepwell server?"


class Answered(ClientError):
    """The server answered, and did not do what was asked.

    Args:
        status: HTTP status.
        code: short word for programs, "" when the server gave none.
        message: what was wrong, with the value.
        hint: what to do about it, "" when the server gave none.
        retry_after: seconds the server asked to wait, None when it did not ask.
    """

    def __init__(self, status: int, code: str, message: str, hint: str = "", retry_after: float | None = None) -> None:
        super().__init__(status, code, message, hint, retry_after)
        self.status = status
        self.code = code
        self.message = message
        self.hint = hint
        self.retry_after = retry_after

    def __str__(self) -> str:
        text = f"{self.message} ({self.status} {self.code})" if self.code else f"{self.message} ({self.status})"
        return f"{text}. {self.hint}" if self.hint else text


class Busy(Answered):
    """The server cannot take this now, for example because its memory limit is near."""

    retriable = True


class Faulty(Answered):
    """The server met a fault of its own."""

    retriable = True


class Refused(Answered):
    """The request is wrong as it is; trying it again would change nothing."""


class Unauthorized(Refused):
    """The key is missing, unknown or lacks the scope."""


class NotFound(Refused):
    """There is no such run or event, or it is no longer kept."""


class TooLarge(Refused):
    """The request or one of its events is over a size limit."""


def answered(status: int, code: str, message: str, hint: str = "", retry_after: float | None = None) -> Answered:
    """The error that belongs to an HTTP status of 400 or more; arguments as in `Answered`."""
    match status:
        case 401 | 403:
            kind: type[Answered] = Unauthorized
        case 404:
            kind = NotFound
        case 413:
            kind = TooLarge
        case 429 | 503:
            kind = Busy
        case _:
            kind = Refused if status < 500 else Faulty
    return kind(status, code, message, hint, retry_after)
