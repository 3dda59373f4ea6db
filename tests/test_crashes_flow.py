"""Workers are killed while runs wait for slots: no limit is passed, all runs end, and no slot stays behind."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from time import monotonic_ns
from typing import cast

import pytest

from stepwell.client import Event
from stepwell.platform.clock import SystemClock
from stepwell.platform.doctor.examination import examine
from stepwell.platform.engine.partition import partitions_of
from tests import crash_guarded
from tests.crash_crew import Crew, crew
from tests.crash_guarded import LIMITS, TOGETHER
from tests.crash_stack import Victim, eventually
from tests.crash_watch import Stay, Watch, completed, most_at_once, most_by_key

BODIES = 2
"""Of each run."""
ARRAY = 500
HELD = ("k_slots", "k_parked", "k_blocked", "k_lanes", "k_queue", "k_timers", "k_held", "k_live")
"""What nothing may be in once all runs have ended."""


@dataclass
class Crowd:
    """Runs of guarded functions, evenly of each key, and workers that are killed meanwhile.

    Args:
        crew: two workers or more.
        random: moments and victims.
        deaths: process id -> ns before which it lived.
    """

    crew: Crew
    random: Random
    deaths: dict[int, int] = field(default_factory=dict[int, int])

    async def send(self, count: int, keys: int) -> None:
        """Sends so many events, each of which starts a run of one of so many keys."""
        visits = [number % keys for number in range(count)]
        self.random.shuffle(visits)
        for first in range(0, count, ARRAY):
            await self.crew.client.send([event_of(key) for key in visits[first : first + ARRAY]])

    async def kill(self) -> None:
        """Kills a worker, or an executor of one."""
        victim = cast("Victim", self.random.choice(["child", "worker"]))
        before, stack = monotonic_ns(), self.crew.stack
        await stack.kill(victim, self.random, self.random.choice(stack.parts[1:]))
        self.deaths.update(dict.fromkeys(stack.kills[-1].executors, before))

    async def kill_now_and_then(self, count: int) -> None:
        """So often, at random moments."""
        for _ in range(count):
            await asyncio.sleep(self.random.uniform(0.2, 1.5))
            await self.kill()

    async def ended(self) -> None:
        """Returns when no run is left. Fails when that takes too long."""
        try:
            await eventually(self._nothing_left, 300)
        except TimeoutError:
            counts = await self.crew.installation.history.counts()
            raise AssertionError(f"{counts}\n{self.crew.stack.said()}") from None

    async def _nothing_left(self) -> bool:
        await asyncio.sleep(0.1)
        return not (await self.crew.installation.history.counts()).unfinished

    async def kept(self) -> list[str]:
        """The keys that hold what belongs to no run any more."""
        store, found = self.crew.installation.store, list[str]()
        for partition in partitions_of(store, SystemClock()):
            for family in HELD:
                found += [key.decode() for key in await partition.read("KEYS", partition.keys.name(family) + "*")]
        return found


def event_of(key: int) -> Event:
    """One for a run of a key: of those of each function, every fifth."""
    return Event(f"guarded.{LIMITS[key % len(LIMITS)]}", {"key": f"{LIMITS[key % len(LIMITS)]}-{key}"})


def exceeded(stays: Sequence[Stay]) -> dict[str, int]:
    """Of which keys too many were there at once, and of all."""
    over = {key: most for key, most in most_by_key(stays).items() if most > int(key.partition("-")[0])}
    return over | ({"all": most} if (most := most_at_once(stays)) > TOGETHER else {})


async def survive(folder: Path, runs: int, keys: int, kills: int, random: Random) -> str:
    """Sends so many runs of so many keys, kills so often, and judges; answers what there was, in words."""
    target = Path(crash_guarded.__file__)
    async with crew(folder, 5, target, STEPWELL_CRASH_LIMIT="100") as platform:
        crowd = Crowd(platform, random)
        await platform.stack.add_worker()
        await asyncio.gather(crowd.send(runs, keys), crowd.kill_now_and_then(kills))
        await crowd.ended()
        stays = Watch(Path(platform.ledger.path)).stays(crowd.deaths)
        assert exceeded(stays) == {}
        assert len(completed(stays)) == runs
        assert min(completed(stays).values()) == BODIES
        counts = await platform.installation.history.counts()
        assert counts.completed == runs
        await eventually(lambda: nothing_in(crowd), 10)
        settings = platform.installation.settings
        findings = await examine(platform.installation.store, settings, SystemClock(), deep=True)
        assert [finding.text for finding in findings if finding.level == "wrong"] == []
        cut, again = sum(not stay.whole for stay in stays), sum(completed(stays).values()) - BODIES * runs
        full = sum(most == int(key.partition("-")[0]) for key, most in most_by_key(stays).items())
        assert full > keys / 5, "what was never full proves nothing"
        said = f"{kills} kills cut {cut} bodies off, {again} were executed again, {full} of {keys} keys were full"
        return f"{runs} runs: {said}, {most_at_once(stays)} of {TOGETHER} at once in all"


async def nothing_in(crowd: Crowd) -> bool:
    """Whether all that runs hold is given back."""
    return not await crowd.kept()


@pytest.mark.slow
async def test_no_limit_is_passed_while_workers_are_killed(short_path: Path) -> None:
    await survive(short_path, 1_000, 50, 4, Random("flow"))


@pytest.mark.soak
@pytest.mark.timeout(900)
async def test_ten_thousand_runs_over_five_hundred_keys(
    short_path: Path, seed: int, say: Callable[[str], None]
) -> None:
    say(f"flow soak with --soak-seed {seed}: {await survive(short_path, 10_000, 500, 30, Random(seed))}")


def test_the_watch_sees_too_many_at_once() -> None:
    stays = [Stay("r1", "2-7", 1, 0, 10), Stay("r2", "2-7", 1, 5, 15), Stay("r3", "2-7", 2, 10, 20)]
    assert exceeded(stays) == {}
    assert exceeded([*stays, Stay("r4", "2-7", 3, 9, 11)]) == {"2-7": 3}


def test_what_a_killed_process_had_begun_ends_with_it(tmp_path: Path) -> None:
    watch = Watch(tmp_path / "watch")
    watch.path.write_text("+ 5 5 11 r1 1-1\n+ 6 6 12 r2 1-2\n- 6 9 12 r2 1-2\n")
    assert watch.stays({11: 8}) == [Stay("r2", "1-2", 12, 6, 9), Stay("r1", "1-1", 11, 5, 8, whole=False)]
