"""What a list without events says: how to send one."""

from collections.abc import Iterable

from stepwell.dashboard.runs.teaching import EXAMPLE_DATA, Lesson, example
from stepwell.dashboard.send.commands import as_send
from stepwell.platform.incoming import RESERVED

EXAMPLE = "order.placed"


def lesson(names: Iterable[str], origin: str) -> Lesson:
    """What to do next on an installation without events, at `origin`, whose functions listen for `names`."""
    free = [name for name in names if not name.startswith(RESERVED)]
    known = min(free, key=lambda name: name.endswith("*"), default=None)
    name = example(known) if known else EXAMPLE
    about = f"A function listens for {name}" if known else "No function listens yet; they are kept all the same"
    text = f"Events are what happened, told by your applications: a name, and data. {about}. To send one:"
    return Lesson("No event yet", text, as_send(origin, name, EXAMPLE_DATA))
