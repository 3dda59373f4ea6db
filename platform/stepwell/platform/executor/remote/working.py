"""A worker of an app that is called over HTTP shows a card, as others do, and says on it whether the app is there."""

import asyncio

from stepwell.platform.clock import Clock
from stepwell.platform.engine.cards import Cards
from stepwell.platform.executor.introducing import Introduction, card_of_served, introduced
from stepwell.platform.executor.remote.app import CONCURRENCY, RemoteApp
from stepwell.platform.executor.worker import Worker
from stepwell.platform.settings import Settings


async def work(worker: Worker, app: RemoteApp, cards: Cards, settings: Settings, clock: Clock) -> None:
    """Has the worker lease and execute, until cancelled or until its session is dead."""
    card = card_of_served(app.manifest, CONCURRENCY, settings, clock.now())
    async with introduced(cards, worker.session.id, card) as introduction:
        telling = asyncio.create_task(_tell(introduction, app))
        try:
            await worker.run()
        finally:
            telling.cancel()


async def _tell(introduction: Introduction, app: RemoteApp) -> None:
    while True:
        await app.changed.wait()
        app.changed.clear()
        await introduction.away(app.circuit.away)
