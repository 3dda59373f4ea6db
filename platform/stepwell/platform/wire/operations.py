"""The operations that an app reports: what a step has done, or is to do."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from stepwell.functions.served.words import told
from stepwell.platform.wire.keys import key_of

MOST = 1_000
"""Operations in one reply."""
DAY = 86_400_000
FIRST = ("WaitForEvent", "WaitForSignal")
"""What is seen to before others, so that no event that others cause is missed."""


class BadReply(Exception):
    """An app has answered what the SDK protocol does not know; says what."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation.

    Args:
        code: such as "StepRun".
        key: of the step; see `keys`.
        name: what the SDK calls it by, or an event, or a time.
        options: of the operation.
        data: output of the step.
        error: why it has failed; `None` when it has not.
        took: ms that its body ran, if the SDK says so.
        own: what an SDK of ours says beside.
    """

    code: str
    key: str
    name: str = ""
    options: Mapping[str, Any] = field(default_factory=dict[str, Any])
    data: Any = None
    error: Any = None
    took: int = 0
    own: Mapping[str, Any] = field(default_factory=dict[str, Any])

    @property
    def races(self) -> bool:
        """Whether the app is to be asked what comes next as soon as this has ended, whatever its siblings do."""
        return self.options.get("parallelMode") == "race"


def operations_of(body: object) -> list[Operation]:
    """Those of a reply, in the order in which they are seen to. Raises `BadReply`."""
    found = list(_read(body if isinstance(body, list) else [body]))  # pyright: ignore[reportUnknownArgumentType]
    return sorted(found, key=lambda operation: operation.code not in FIRST)


def _read(items: list[Any]) -> Iterator[Operation]:
    if len(items) > MOST:
        raise BadReply(f"it reports {len(items):,} operations at once, and may report {MOST:,}")
    for item in items:
        if item is None or item == {}:
            continue
        if not isinstance(item, dict):
            raise BadReply(f"an operation is a JSON object, not {item!r:.100}")
        yield _operation(cast("dict[str, Any]", item))


def _operation(item: dict[str, Any]) -> Operation:
    code, id = item.get("op"), item.get("id")
    if not isinstance(code, str):
        raise BadReply(f"an operation has no name in its field 'op': {item!r:.100}")
    if code == "None":
        code = ""
    if not isinstance(id, str) or not id or len(id) > 256 or not id.isprintable():
        id = code or "-"  # those that end a run, or ask to be called, are about no step
    name, options = item.get("name"), item.get("opts")
    return Operation(
        code="StepRun" if code == "Step" else code,
        key=key_of(id, *_names(item)),
        name=name if isinstance(name, str) else "",
        options=cast("dict[str, Any]", options) if isinstance(options, dict) else {},
        data=item.get("data"),
        error=item.get("error"),
        took=_took(item.get("timing")),
        own=told(item),
    )


def _took(timing: object) -> int:
    """From {"a": when it began, "b": how long it took}, in ns."""
    given = cast("dict[str, Any]", timing).get("b") if isinstance(timing, dict) else None
    return min(max(given // 1_000_000, 0), DAY) if type(given) is int else 0


def _names(item: dict[str, Any]) -> Iterator[str]:
    """What people call the step, with the number of its repeat behind."""
    userland = item.get("userland")
    known: dict[str, Any] = cast("dict[str, Any]", userland) if isinstance(userland, dict) else {}
    for name in (known.get("id"), item.get("displayName"), item.get("name")):
        if isinstance(name, str) and name:
            yield f"{name}:{known['index']}" if known.get("index") else name
            yield name
