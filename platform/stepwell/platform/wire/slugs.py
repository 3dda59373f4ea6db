"""Names of functions in the SDK protocol: app and function joined by "-", both of which may have one in them."""

from collections.abc import Iterator, Mapping

from stepwell.platform.snapshot import RegisteredFunction, Snapshot


def slug(app: str, id: str) -> str:
    """The name of a function of an app."""
    return f"{app}-{id}"


def function_id(app: str, slug: str) -> str:
    """The id that a function has in its app: what follows the app's name, or all of it when that is not its name."""
    return slug.removeprefix(f"{app}-") or slug


def named(slug: str, snapshot: Snapshot) -> str | None:
    """The registered function, as `app/function`, that a slug is the name of; `None` when there is none.

    Where several could be meant, one that is served goes first, then the one of the app with the shorter name.
    """
    found = list(_named(slug, snapshot.functions))
    served = [one for one in found if snapshot.functions[one].manifest.url]
    return next(iter([*served, *found]), None)


def _named(slug: str, functions: Mapping[str, RegisteredFunction]) -> Iterator[str]:
    for at, character in enumerate(slug):
        if character == "-" and (name := f"{slug[:at]}/{slug[at + 1 :]}") in functions:
            yield name
    yield from (name for name, one in functions.items() if one.manifest.url and one.manifest.id == slug)
