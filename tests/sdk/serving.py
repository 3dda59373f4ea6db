"""Functions of a client, made of handlers."""

from collections.abc import Mapping
from typing import Any

from inngest import Function, Inngest, TriggerEvent

from tests.sdk.options import options


def functions(client: Inngest, handlers: Mapping[str, Any], failed: Mapping[str, Any]) -> list[Function[Any]]:
    """One for each handler, with its options.

    Args:
        client: of the app.
        handlers: by the ids of the functions.
        failed: what is called when they have failed, by the same ids.
    """
    made: list[Function[Any]] = []
    for id, handler in handlers.items():
        extra: dict[str, Any] = {"trigger": TriggerEvent(event=f"{client.app_id}/{id}")}
        extra |= options(client.app_id).get(id, {})
        made.append(client.create_function(fn_id=id, on_failure=failed.get(id), **extra)(handler))
    return made
