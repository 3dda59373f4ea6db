"""Apps that are called over HTTP and cannot be reached."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace

from stepwell.platform.engine.cards import CALLS, Away, Card, Cards
from stepwell.platform.engine.partition import Partition


async def away_of(first: Partition, app: str) -> Away | None:
    """Why an app cannot be reached; `None` when it can be, or when no server calls it."""
    flat: list[bytes] = await first.read("ZRANGE", first.keys.name("k_sessions"), "(0", "+inf", "BYSCORE")
    calling = [name for one in flat if (name := one.decode()).startswith(CALLS)]
    return away_in(await Cards(first).of(calling)).get(app)


def away_in(cards: Iterable[Card | None]) -> dict[str, Away]:
    """App -> why it cannot be reached by any of the servers that call it, and when the first of them tries next."""
    said = defaultdict[str, list[Away | None]](list)
    for card in cards:
        for app in card.apps if card and card.served else ():
            said[app].append(card.away if card else None)
    known = {app: [one for one in several if one] for app, several in said.items() if all(several)}
    return {app: _together(app, several) for app, several in known.items()}


def _together(app: str, several: list[Away]) -> Away:
    longest = min(several, key=lambda one: one.since)
    why = longest.why.replace("the app", f"app {app}", 1)
    return replace(longest, why=why, until=min(one.until for one in several))
