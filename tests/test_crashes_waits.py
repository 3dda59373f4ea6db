"""`kill -9` at each transition of parents, children, and runs that wait for events: nothing is lost or doubled."""

from collections import Counter, defaultdict
from collections.abc import AsyncGenerator, Awaitable, Callable
from functools import partial
from pathlib import Path
from random import Random

import pytest

from stepwell.client import Event
from stepwell.platform.clock import SystemClock
from stepwell.platform.doctor.examination import examine
from tests.crash_crew import Crew, crew
from tests.crash_stack import Victim

pytestmark = pytest.mark.slow

RUNS = 4
Kill = Callable[[], Awaitable[None]]


@pytest.fixture(scope="module")
async def platform(session_path: Path) -> AsyncGenerator[Crew]:
    """A stack with sessions of 3 s; runs may be hit more often than any crash limit allows for."""
    folder = session_path / "waits"
    folder.mkdir()
    async with crew(folder, 3, STEPWELL_CRASH_LIMIT="100") as running:
        yield running


async def tell(platform: Crew, ids: list[str], n: int) -> None:
    """An event for each of the runs that take turns."""
    await platform.client.send([Event("turn", {"id": id, "n": n}, id=f"{id}-{n}") for id in ids])


async def history(platform: Crew, name: str, kill: Kill, moments: int) -> None:
    """Families and turns with a kill at each of five transitions that is in `moments`; then judges them."""
    moment = iter(range(5))

    async def transition() -> None:
        if moments >> next(moment) & 1:
            await kill()

    begun = len(platform.ledger.executions())
    ids = [f"{name}-{number}" for number in range(RUNS)]
    families = await platform.start("family", RUNS)
    takers = [run for id in ids for run in await platform.start("turns", id=id)]
    await transition()
    await tell(platform, ids, 0)
    await transition()
    await tell(platform, ids, 1)
    await transition()
    await platform.ended(families[:1])
    await transition()
    await tell(platform, ids, 2)
    await transition()
    assert [run.output for run in await platform.ended(families)] == [321] * RUNS, platform.stack.said()
    assert [run.output for run in await platform.ended(takers)] == [[0, 1, 2]] * RUNS, platform.stack.said()
    await judge(platform, families, begun)


async def judge(platform: Crew, families: list[str], begun: int) -> None:
    """Each step had one child, and each body one execution, and one more for each kill that cut it off."""
    killed = {pid for kill in platform.stack.kills for pid in kill.executors}
    times: dict[tuple[str, str], list[int]] = defaultdict(list)
    for execution in platform.ledger.executions()[begun:]:
        times[execution.run, execution.step].append(execution.pid)
    for body, pids in times.items():
        assert all(pid in killed for pid in pids[:-1]), f"{body} was executed again by {pids}, and {killed} were killed"
    bodies = Counter(step for _, step in times)
    assert bodies == {"ask": RUNS, "child": 3 * RUNS, **{f"took-{number}": RUNS for number in range(3)}}
    for run, rows in await platform.recorded(families):
        assert {row.key: row.state for row in rows} == dict.fromkeys(("ask", "a", "b", "c"), "done"), run
    findings = await examine(platform.installation.store, platform.installation.settings, SystemClock(), deep=True)
    assert [finding.text for finding in findings if finding.level == "wrong"] == []


@pytest.mark.parametrize(("victim", "moments"), [("child", 0b10111), ("server", 0b11010), ("worker", 0b01010)])
async def test_a_kill_at_each_transition_loses_and_doubles_nothing(
    platform: Crew, victim: Victim, moments: int
) -> None:
    random = Random(victim)
    await history(platform, victim, partial(platform.stack.kill, victim, random), moments)


@pytest.mark.soak
@pytest.mark.timeout(1800)
async def test_kills_at_random_transitions_lose_and_double_nothing(platform: Crew, seed: int) -> None:
    random = Random(seed)
    victims: tuple[Victim, ...] = ("child", "server", "worker", "redis")
    for number in range(60):
        kill = partial(platform.stack.kill, random.choice(victims), random)
        await history(platform, f"soak-{number}", kill, random.getrandbits(5))
