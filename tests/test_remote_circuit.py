"""An app that cannot be reached is left alone, for longer and longer, and one run at a time finds out."""

import asyncio

import pytest

from stepwell.platform.clock import ManualClock
from stepwell.platform.engine.cards import Away
from stepwell.platform.executor.remote import circuit as module
from stepwell.platform.executor.remote.circuit import ALL, Circuit


class Made:
    """A circuit whose times are a thousandth of what they are."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.stirred = asyncio.Event()
        self.circuit = Circuit(self.clock, self.stirred.set, lambda: None)

    @property
    def away(self) -> Away:
        assert self.circuit.away
        return self.circuit.away

    async def opens_for(self) -> float:
        """Seconds until it may be tried again."""
        self.stirred.clear()
        loop = asyncio.get_running_loop()
        since = loop.time()
        await asyncio.wait_for(self.stirred.wait(), 10)
        return loop.time() - since


@pytest.fixture
async def made(monkeypatch: pytest.MonkeyPatch) -> Made:
    monkeypatch.setattr(module, "SHORTEST", 0.02)
    monkeypatch.setattr(module, "LONGEST", 0.08)
    return Made()


async def test_all_may_be_leased_while_the_app_answers(made: Made) -> None:
    assert made.circuit.bound == ALL
    made.circuit.probed()
    made.circuit.holds("run")
    assert made.circuit.bound == ALL


async def test_one_run_finds_out_whether_the_app_is_back(made: Made) -> None:
    made.circuit.broke("the app answers 502", "run")
    assert (made.circuit.bound, made.away.why) == (0, "the app answers 502")
    await made.opens_for()
    assert made.circuit.bound == 1
    made.circuit.probed()
    assert made.circuit.bound == 0, "the others wait for what it finds out"
    made.circuit.holds("run")
    assert (made.circuit.bound, made.circuit.away) == (ALL, None)


async def test_a_run_that_finds_out_nothing_does_not_keep_others_from_it(made: Made) -> None:
    made.circuit.broke("the app answers 502", "run")
    await made.opens_for()
    made.circuit.probed()
    await made.opens_for()
    assert made.circuit.bound == 1


async def test_the_app_is_left_alone_for_longer_and_longer(made: Made) -> None:
    since = made.clock.now()
    pauses = list[float]()
    for _ in range(5):
        made.clock.advance(1_000)
        made.circuit.broke("refused", "run")
        pauses.append(await made.opens_for())
    assert pauses[0] < pauses[1] < pauses[2]
    assert max(pauses) < 10 * 0.08
    assert made.away.since == since + 1_000, "since it was first away"
    made.circuit.holds("run")
    made.circuit.broke("refused", "run")
    assert await made.opens_for() < pauses[2], "what was before is forgotten"


async def test_runs_that_break_together_count_once(made: Made) -> None:
    for _ in range(50):
        made.circuit.broke("refused", "run")
    assert await made.opens_for() < 0.08
    made.circuit.close()
