"""API keys as they are set: a plain secret may do everything, `NAME:SCOPES:SECRET` what it says."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from hmac import compare_digest

from pydantic import SecretStr

from stepwell.platform.api.scopes import Grant, Scope
from stepwell.platform.errors import StepwellError

FORM = "NAME:SCOPES:SECRET"
JOINED = "+"
NO_PAYLOADS = "no-payloads"
WORDS = (*[scope.value for scope in Scope], NO_PAYLOADS)
_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")


class BadKey(StepwellError):
    """A key is set in a form that means nothing. What is said does not show it: any part of it may be the secret."""

    def __init__(self, place: int, problem: str) -> None:
        super().__init__(place, problem)
        self.place = place
        self.problem = problem

    def __str__(self) -> str:
        return f"STEPWELL_API_KEYS: key {self.place} {self.problem}"


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key that is configured."""

    grant: Grant
    secret: bytes = field(repr=False)


def api_keys(given: Sequence[SecretStr]) -> tuple[ApiKey, ...]:
    """The keys of the settings. Raises `BadKey`."""
    keys = tuple(_key(place, key.get_secret_value()) for place, key in enumerate(given, start=1))
    _refuse_repeated([key.grant.name for key in keys], "has the name of another one")
    _refuse_repeated([key.secret for key in keys], "has the secret of another one")
    return keys


def found(given: bytes, keys: Iterable[ApiKey]) -> Grant | None:
    """What the secret `given` allows; `None` when no key has it."""
    # All are compared, so that the time taken tells nothing.
    grants = [key.grant for key in keys if compare_digest(given, key.secret)]
    return grants[0] if grants else None


def _key(place: int, text: str) -> ApiKey:
    if ":" not in text:
        return ApiKey(Grant(f"key-{place}"), text.encode())
    name, scopes, secret = [*text.split(":", 2), ""][:3]
    if not _NAME.fullmatch(name):
        raise BadKey(place, f"has a colon, and so is {FORM}; a name is up to 64 letters, digits, '.', '_' and '-'")
    if not secret:
        raise BadKey(place, f"has no secret; a key with a colon is {FORM}")
    return ApiKey(_grant(place, name, scopes.split(JOINED)), secret.encode())


def _grant(place: int, name: str, words: Sequence[str]) -> Grant:
    scopes = [scope for scope in Scope if scope.value in words]
    if not scopes or not set(words) <= set(WORDS):
        known = ", ".join(scope.value for scope in Scope)
        raise BadKey(place, f"is {FORM}; its scopes are one of {known}, or that and {NO_PAYLOADS}, joined by {JOINED}")
    return Grant(name, scopes[-1], payloads=NO_PAYLOADS not in words)


def _refuse_repeated(parts: Sequence[object], problem: str) -> None:
    counted = Counter(parts)
    for place, part in reversed([*enumerate(parts, start=1)]):
        if counted[part] > 1:
            raise BadKey(place, problem)
