"""A worker introduces itself: it puts down a card with its session, and renews it now and then."""

import asyncio
import os
import socket
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from importlib.metadata import version

import structlog

from stepwell.functions import App
from stepwell.functions.protocol import Manifest
from stepwell.platform.engine.cards import LIFE, MOST_FUNCTIONS, Away, Card, Cards
from stepwell.platform.errors import StepwellError
from stepwell.platform.executor.errand import Errand
from stepwell.platform.settings import Settings

EVERY = LIFE / 4
"""Seconds between two renewals: a few may fail."""
PARTING = 1.0
"""Seconds that a worker which ends has left for this."""


def card_of(errand: Errand, apps: Sequence[App], settings: Settings, now: int) -> Card:
    """The card of this process, which began at `now` in ms UTC."""
    functions = sorted(function.name for app in apps for function in app.functions.values())
    return Card(
        host=socket.gethostname(),
        pid=os.getpid(),
        apps={app.id: app.version for app in apps},
        functions=tuple(functions[:MOST_FUNCTIONS]),
        slots=errand.concurrency,
        started=now,
        stepwell=version("stepwell"),
        expiry=int(settings.session_expiry * 1000),
        suspects=errand.suspects,
    )


def card_of_served(manifest: Manifest, slots: int, settings: Settings, now: int) -> Card:
    """The card of what calls an app over HTTP from this process, since `now` in ms UTC."""
    functions = sorted(f"{manifest.id}/{function.id}" for function in manifest.functions if function.url)
    return Card(
        host=socket.gethostname(),
        pid=os.getpid(),
        apps={manifest.id: manifest.version},
        functions=tuple(functions[:MOST_FUNCTIONS]),
        slots=slots,
        started=now,
        stepwell=version("stepwell"),
        expiry=int(settings.session_expiry * 1000),
        served=manifest.served.url if manifest.served else "",
    )


class Introduction:
    """The card of one session. Whatever goes wrong with it, the worker works on.

    Args:
        cards: where it is put down.
        session: of the worker.
        card: what it says.
    """

    def __init__(self, cards: Cards, session: str, card: Card) -> None:
        self._cards = cards
        self._session = session
        self._card = card

    async def keep(self) -> None:
        """Puts it down and renews it until cancelled."""
        while True:
            await self._show()
            await asyncio.sleep(EVERY)

    async def drain(self) -> None:
        """Says that the worker is about to end."""
        self._card = replace(self._card, draining=True)
        await self._show()

    async def away(self, away: Away | None) -> None:
        """Says that the app that it calls cannot be reached, or can be again."""
        self._card = replace(self._card, away=away)
        await self._show()

    async def end(self) -> None:
        """Takes it back; when that cannot be done at once, it goes by itself."""
        with suppress(StepwellError, TimeoutError):
            async with asyncio.timeout(PARTING):
                await self._cards.take_back(self._session)

    async def _show(self) -> None:
        try:
            await self._cards.show(self._session, self._card)
        except StepwellError as error:
            structlog.get_logger().warning("card_not_shown", error=str(error))


@asynccontextmanager
async def introduced(cards: Cards, session: str, card: Card) -> AsyncGenerator[Introduction]:
    """Keeps a card meanwhile."""
    introduction = Introduction(cards, session, card)
    keeping = asyncio.create_task(introduction.keep())
    try:
        yield introduction
    finally:
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)
        await introduction.end()
