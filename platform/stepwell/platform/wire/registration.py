"""What an SDK registers, as an app of ours."""

from collections.abc import Iterable, Iterator, Mapping
from hashlib import blake2b
from types import MappingProxyType
from typing import Annotated, Any
from urllib.parse import urlencode, urlsplit

from pydantic import Field, ValidationError

from stepwell.functions.concurrency import Concurrency, clashes
from stepwell.functions.protocol import FunctionManifest, Manifest, ServedManifest
from stepwell.functions.served.words import FUNCTION
from stepwell.platform.codec import encode
from stepwell.platform.wire.calls import FIRST
from stepwell.platform.wire.configuration import DAY, Configuration, Given, Text
from stepwell.platform.wire.slugs import function_id, slug

WORDS: Mapping[str, str] = MappingProxyType(
    {
        "appname": "appName",
        "appversion": "appVersion",
        "batch": "batchEvents",
        "batchevents": "batchEvents",
        "cancel_on": "cancel",
        "max_size": "maxSize",
        "maxsize": "maxSize",
        "rate_limit": "rateLimit",
        "ratelimit": "rateLimit",
        "times": "attempts",
        "within": "timeout",
    }
)
"""Fields that SDKs write otherwise."""


class BadRegistration(Exception):
    """What cannot be registered, in one line that names function and field."""


class Registration(Given):
    """The body of `POST /fn/register`."""

    url: str
    app_name: Annotated[str, Field(min_length=1)]
    app_version: Text = ""
    sdk: Text = ""
    framework: Text = ""
    functions: list[dict[str, Any]]
    stepwell: dict[str, Any] | None = None


def registration(body: Any) -> Registration:
    """The body of a request, understood but for its functions. Raises `BadRegistration`."""
    if not isinstance(body, dict):
        raise BadRegistration("the body is no JSON object")
    try:
        return Registration.model_validate(body)
    except ValidationError as error:
        raise BadRegistration(_first(error)) from None


def manifest_of(given: Registration) -> Manifest:
    """The app. Raises `BadRegistration`."""
    app = given.app_name
    if given.stepwell is not None:
        return _ours(given, given.stepwell)
    functions = [_function(app, number, one) for number, one in enumerate(given.functions, start=1)]
    _check_ids(functions)
    _check_shared(functions)
    try:
        served = ServedManifest(url=given.url, sdk=given.sdk[:128], framework=given.framework[:128])
        whole = Manifest(id=app, version="-", functions=functions, served=served)
        return Manifest.model_validate({**dict(whole), "version": given.app_version or _digest(whole)})
    except ValidationError as error:
        raise BadRegistration(f"app {app!r:.100}: {_first(error)}") from None


def _ours(given: Registration, manifest: Mapping[str, Any]) -> Manifest:
    """An app of our SDK, which registers as it does with a worker."""
    try:
        known = Manifest.model_validate({**manifest, "id": given.app_name})
        served = ServedManifest(url=given.url, sdk=given.sdk[:128], framework=given.framework[:128])
        functions = [{**dict(one), "url": _called(given.url, slug(known.id, one.id))} for one in known.functions]
        return Manifest.model_validate({**dict(known), "functions": functions, "served": served})
    except ValidationError as error:
        raise BadRegistration(f"app {given.app_name!r:.100}: {_first(error)}") from None


def _called(url: str, name: str) -> str:
    """Where a function of an app at an address is called."""
    query = urlencode({FUNCTION: name, "stepId": FIRST})
    return f"{url}{'&' if urlsplit(url).query else '?'}{query}"


def _digest(manifest: Manifest) -> str:
    """A version for an app that does not say its own: another one for other functions."""
    shape = [one.model_dump(mode="json", exclude_defaults=True) for one in manifest.functions]
    return blake2b(encode(shape), digest_size=6).hexdigest()


def _function(app: str, number: int, one: Mapping[str, Any]) -> FunctionManifest:
    name = next((str(value) for key, value in one.items() if key.lower() == "id"), f"number {number}")
    try:
        return _manifest(app, Configuration.model_validate(one))
    except ValidationError as error:
        raise BadRegistration(f"function {name[:100]!r}: {_first(error)}") from None
    except ValueError as error:
        raise BadRegistration(f"function {name[:100]!r}: {error}") from None


def _manifest(app: str, given: Configuration) -> FunctionManifest:
    if given.step.runtime.type != "http":
        raise ValueError(f"runtime {given.step.runtime.type!r:.40}: functions are called over http only")
    return FunctionManifest.model_validate(
        {
            "id": function_id(app, given.id),
            "name": given.name[:256],
            "url": given.step.runtime.url,
            "triggers": [one.manifest() for one in given.triggers],
            "retries": {"times": given.times},
            **_controls(given),
        }
    )


def _controls(given: Configuration) -> dict[str, Any]:
    single = {
        "throttle": given.throttle,
        "rate_limit": given.rate_limit,
        "debounce": given.debounce,
        "batch": given.batch_events,
        "singleton": given.singleton,
        "timeouts": given.timeouts,
    }
    return {
        **{name: one.manifest() for name, one in single.items() if one},
        # A limit of 0 is none.
        "concurrency": [one.manifest() for one in given.concurrency if one.limit],
        "cancel_on": [one.manifest() for one in given.cancel],
        "priority": {"expression": given.priority.run} if given.priority and given.priority.run else None,
        "idempotency": {"key": given.idempotency, "period": DAY} if given.idempotency else None,
    }


def _check_ids(functions: Iterable[FunctionManifest]) -> None:
    seen = set[str]()
    for one in functions:
        if one.id in seen:
            raise BadRegistration(f"function {one.id!r} is there twice: give one of the two another id")
        seen.add(one.id)


def _check_shared(functions: Iterable[FunctionManifest]) -> None:
    """Slots that functions share have one limit, for there is one number of them."""
    seen: list[FunctionManifest] = []
    for one in functions:
        for other in seen:
            for _ in clashes(_shared(other), _shared(one)):
                raise BadRegistration(
                    f"functions {other.id!r} and {one.id!r}: concurrency: they share slots, by scope and key, "
                    "and have different limits: give both the same"
                )
        seen.append(one)


def _shared(function: FunctionManifest) -> Iterator[Concurrency]:
    for one in function.concurrency:
        if one.name:
            yield Concurrency(one.limit, one.key, one.scope, one.name)


def _first(error: ValidationError) -> str:
    """The first mistake: the field as SDKs call it, and what is wrong."""
    wrong = error.errors(include_url=False)[0]
    where = ".".join(WORDS.get(str(part), str(part)) for part in wrong["loc"] if "Manifest" not in str(part))
    message = wrong["msg"].removeprefix("Value error, ")
    shown = f" ({wrong['input']!r:.80})" if isinstance(wrong["input"], str | int | float) else ""
    return f"{where}: {message}{shown}" if where else message
