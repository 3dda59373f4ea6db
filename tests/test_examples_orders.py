"""The orders that feed the example shop are the same on every machine, and hold what the shop's story needs."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

EXAMPLES = Path(__file__).parents[1] / "examples"


def events() -> list[dict[str, Any]]:
    return [json.loads(line) for line in (EXAMPLES / "orders.jsonl").read_text("utf-8").splitlines()]


def test_the_generator_writes_the_same_bytes_again(tmp_path: Path) -> None:
    subprocess.run([sys.executable, EXAMPLES / "orders.py", tmp_path / "orders.jsonl"], check=True)
    assert (tmp_path / "orders.jsonl").read_bytes() == (EXAMPLES / "orders.jsonl").read_bytes()


def test_every_line_is_an_order_placed_whose_sum_is_right() -> None:
    for event in events():
        order = event["data"]
        assert (event["name"], event["id"]) == ("order.placed", f"{order['id']}-placed")
        paid = sum(item["qty"] * item["price"] for item in order["items"]) + order["shipping"]["cost"]
        assert abs(paid - order["total"]) < 0.005
        assert len(order["card"]["last4"]) == 4


def test_there_are_declined_cards_repeats_and_several_currencies() -> None:
    listed = events()
    once = {event["id"]: event for event in listed}
    assert (len(once), len(listed)) == (300, 315)
    assert all(event == once[event["id"]] for event in listed)
    assert sum(event["data"]["card"]["token"].startswith("tok_declined_") for event in once.values()) == 18
    assert len(Counter(event["data"]["currency"] for event in listed)) >= 5
    assert len({event["data"]["customer"]["id"] for event in listed}) > 100
