"""Keys of constraints as JSON models."""

from stepwell.platform.api.models.key import Key, SlotHolder
from stepwell.platform.flow.holding import KeyView


def key(view: KeyView) -> Key:
    """A key."""
    return Key(
        scope=view.scope,
        constraint=view.constraint,
        value=view.value,
        limit=view.limit,
        held=view.held,
        holders=[SlotHolder(run=one.run, since=one.since, worker=one.session or None) for one in view.holders],
        lanes=view.lanes,
        waiting=view.waiting,
    )
