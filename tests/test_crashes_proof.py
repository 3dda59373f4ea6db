"""The judge of the crash tests sees what it is there to see: each broken promise, made up here, is named."""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from random import Random

import pytest

from examples.ledger import Execution
from stepwell.platform.records import RunRecord, Status, StepRow
from tests.crash_orders import OrderBook
from tests.crash_proof import STEPS, THANKS, Recorded, Story, extra, violations
from tests.crash_stack import Kill

RECORDED_AT = 1_767_225_600_500
BEGAN, ENDED, LATER = "2026-01-01T00:00:00.100Z", "2026-01-01T00:00:00.400Z", "2026-01-01T00:00:00.600Z"
KILLED, LIVING = 11, 12


def recorded(id: str, keys: set[str], output: bytes) -> Recorded:
    run = RunRecord.parse(
        id,
        {
            b"h": f"completed - 0 - 9 {len(keys)} 0 0 0 0 0 0 1 2".encode(),
            b"i": f"1 v E shop/{id}".encode(),
            b"o": output,
        },
    )
    return Recorded(run, {key: StepRow(key, "done", "run", 1, 1, 0, RECORDED_AT, 0, b"") for key in keys})


def execution(run: str, step: str, **changes: object) -> Execution:
    plain = Execution(1, step, "A", run, 1, LIVING, BEGAN, ENDED, "done")
    return replace(plain, **changes)  # type: ignore[arg-type]


class Case:
    """An order that was shipped without a fault."""

    def __init__(self) -> None:
        order = next(order for order in OrderBook(lambda _: 0).more(50) if order.fate == "shipped")
        fulfil = recorded("fulfil", STEPS["shipped"], b'{"status": "shipped"}')
        thank = recorded("thank", THANKS, b"10")
        self.fulfil = [fulfil]
        self.story = Story(order, {"E"}, self.fulfil, [thank], [order.total])
        bodies = STEPS["shipped"] - {"cool-off", "announce", "confirm"} | {"mail"}
        self.executions = [execution("fulfil", body) for body in sorted(bodies)]
        self.executions += [execution("thank", body) for body in sorted(THANKS)]
        self.kills = [Kill("child", RECORDED_AT, frozenset({KILLED}))]

    def violations(self) -> list[str]:
        return violations([self.story], self.executions, self.kills)

    def change_run(self, **changes: object) -> None:
        [one] = self.story.fulfil
        self.story = replace(self.story, fulfil=[replace(one, run=replace(one.run, **changes))])  # type: ignore[arg-type]

    def again(self, **changes: object) -> None:
        """One more execution of `ship`, before the one that was recorded."""
        self.executions.insert(0, execution("fulfil", "ship", **changes))


def test_a_faultless_order_is_found_faultless() -> None:
    assert Case().violations() == []


def test_a_kill_that_hit_a_body_excuses_its_second_execution() -> None:
    case = Case()
    case.again(pid=KILLED, ended=None, outcome=None)
    assert case.violations() == []
    assert extra(case.executions) == 1


FAULTS: dict[str, tuple[str, Callable[[Case], object]]] = {
    "lost": ("0 runs of it", lambda case: setattr(case, "story", replace(case.story, fulfil=[]))),
    "twice": ("2 runs of it", lambda case: setattr(case, "story", replace(case.story, fulfil=case.fulfil * 2))),
    "two ids": ("has the ids", lambda case: setattr(case, "story", replace(case.story, ids={"E", "F"}))),
    "unpaid": ("was paid", lambda case: setattr(case, "story", replace(case.story, payments=[Decimal(0)]))),
    "unfinished": ("has not ended", lambda case: case.change_run(status=Status.RUNNING)),
    "wrong end": ("not shipped", lambda case: case.change_run(output=b'{"status": "refunded"}')),
    "miscounted": ("counts 99 steps", lambda case: case.change_run(steps=99)),
    "after its record": ("executed again at", lambda case: case.executions.append(
        execution("thank", "points", began=LATER)
    )),
    "without a kill": ("was not killed", lambda case: case.again()),
    "at once": ("twice at once", lambda case: case.again(pid=KILLED)),
    "too often": ("for 1 attempts and 0 kills", lambda case: case.again(outcome="CarrierDown")),
    "cut off": ("no execution of it came to an end", lambda case: case.executions.append(
        execution("fulfil", "pack", ended=None)
    )),
    "of nobody": ("a run that nobody knows", lambda case: case.executions.append(execution("other", "pack"))),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_every_broken_promise_is_named(fault: str) -> None:
    case = Case()
    words, happen = FAULTS[fault]
    happen(case)
    assert any(words in wrong for wrong in case.violations()), case.violations()


def test_orders_differ_from_each_other_and_come_in_every_fate() -> None:
    book = OrderBook.of_the_shop()
    orders = [*book.more(100), *book.more(Random(1).randint(200, 300))]
    assert len({order.sender_id for order in orders}) == len(orders)
    assert {order.fate for order in orders} == {"shipped", "refunded", "declined"}
