"""Sends the orders of orders.jsonl to a running server, waits for what becomes of them, and says it.

    python examples/feed.py [PATH]

The server is that of STEPWELL_URL, else a `stepwell dev` on this machine. Sending the file again within a day starts
nothing: the events are known by their ids.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter
from pathlib import Path

from stepwell.client import Client, ClientError, Event, Run


async def feed(client: Client, events: list[Event]) -> Counter[str]:
    """Sends events, and counts how their runs end, in a word each."""
    ids = await client.send(events)
    endings: Counter[str] = Counter()
    for id in dict.fromkeys(ids):  # repeats were given the id of the first
        endings.update(ending(run) for run in await client.events.wait(id))
    return endings


def read(path: Path) -> list[Event]:
    """The events of a file with one JSON object a line."""
    lines = map(json.loads, path.read_text("utf-8").splitlines())
    return [Event(line["name"], line["data"], id=line["id"]) for line in lines]


def ending(run: Run) -> str:
    """How a run ended: what it returned when it completed, else its status."""
    return str(run.output["status"]) if run.status == "completed" else run.status


async def main() -> None:
    """Feeds the file of the first argument, else the one beside this script."""
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_name("orders.jsonl")
    events = read(path)
    async with Client() as client:
        endings = await feed(client, events)
    print(f"{len(events)} events, {endings.total()} runs")
    for word, count in endings.most_common():
        print(f"{count:>5}  {word}")


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except ClientError as error:
        sys.exit(str(error))
