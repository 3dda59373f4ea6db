"""Events that keep the store busy: some orders go well, some are declined, some wait.

python docs/showcase/feed.py [URL]
"""

import asyncio
import sys
from collections.abc import Iterator
from random import Random

from stepwell.client import Client, Event

CUSTOMERS = ("ana.sousa", "jonas.weber", "chloe.martin", "isla.smith", "nils.oberg", "wei.chen")
COUNTRIES = ("PT", "DE", "FR", "GB", "SE", "US")


def orders(count: int) -> Iterator[Event]:
    """Orders, the same ones every time."""
    random = Random(8288)
    for number in range(count):
        who = random.randrange(len(CUSTOMERS))
        declined = number % 9 == 4
        yield Event(
            "order.placed",
            {
                "id": f"o-{1000 + number}",
                "customer": CUSTOMERS[who],
                "country": "IS" if number % 13 == 7 else COUNTRIES[who],
                "total": 480 if number % 11 == 3 else random.randrange(12, 300),
                "items": [{"sku": f"SKU-{random.randrange(100, 400)}", "qty": random.randrange(1, 4)}],
                "card": f"tok_{'declined' if declined else 'visa'}_{random.randrange(1000, 9999)}",
            },
        )


def others() -> Iterator[Event]:
    """All the rest."""
    yield Event("catalog.uploaded", {"products": 400, "file": "autumn.csv"})
    yield Event("catalog.uploaded", {"products": 300, "file": "winter.csv"})
    yield Event("order.returned", {"id": "o-0987", "reason": "too small"})
    yield Event("newsletter.opened", {"customer": "ana.sousa"})
    for sku in ("SKU-117", "SKU-117", "SKU-203"):
        yield Event("product.changed", {"sku": sku, "public": True})
    yield Event("product.changed", {"sku": "SKU-300", "public": False})
    for customer in ("ana.sousa", "ana.sousa", "wei.chen"):
        yield Event("cart.abandoned", {"customer": customer})


async def main() -> None:
    """Sends them."""
    async with Client(sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8288") as client:
        await client.send([*orders(40), *others()])


if __name__ == "__main__":
    asyncio.run(main())
