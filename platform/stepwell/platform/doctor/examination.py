"""The whole examination of an installation."""

import asyncio

from stepwell.platform.clock import Clock
from stepwell.platform.doctor.finding import Finding, fine, warning, wrong
from stepwell.platform.doctor.ownership import examine_keys
from stepwell.platform.doctor.runs import Ailment, examine_run, live_ids
from stepwell.platform.doctor.scopes import examine_scope, scopes_in
from stepwell.platform.doctor.servers import examine_servers
from stepwell.platform.engine.partition import Partition, partitions_of
from stepwell.platform.settings import Settings
from stepwell.platform.store.store import Store

MOST_RUNS = 2_000
"""Live runs of a partition that are looked at, unless all are asked for."""
LOOKS = 3
PAUSE = 0.3
"""Seconds between looks: what is found in each of them is no run on its way from one place to the next."""
STILL = 5_000
"""Ms after which somebody should have ticked."""
SHOWN = 10
REPORT = "Keep the data directory, and report this with the output of `stepwell doctor --deep --json`"


async def examine(store: Store, settings: Settings, clock: Clock, *, deep: bool = False) -> list[Finding]:
    """Looks at the servers and the invariants of every partition. Reads only.

    Args:
        store: open.
        settings: limits.
        clock: of this machine.
        deep: look at every live run, and at every key there is.

    Raises `StoreUnavailable`.
    """
    findings = await examine_servers(store, settings, clock)
    for partition in partitions_of(store, clock):
        findings.append(await examine_time(partition, clock))
        findings += await _invariants(partition, settings, clock, deep=deep)
    return findings


async def examine_time(partition: Partition, clock: Clock) -> Finding:
    """Whether somebody fires timers."""
    about = f"scheduler of {partition.keys.tag}"
    ticked = int(await partition.read("HGET", partition.keys.name("k_meta"), "ticked") or 0)
    time = await partition.read("TIME")
    since = int(time[0]) * 1000 + int(time[1]) // 1000 - ticked
    if clock.argument() == "" and since > STILL:
        text = "nobody has looked at it yet" if ticked == 0 else f"nobody has looked at it for {since / 1000:.0f} s"
        return warning(about, text, "Start `stepwell server` or `stepwell dev`: until then no sleep or retry ends")
    return fine(about, "timers are looked after")


async def _invariants(partition: Partition, settings: Settings, clock: Clock, *, deep: bool) -> list[Finding]:
    about = f"runs of {partition.keys.tag}"
    live = int(await partition.read("ZCARD", partition.keys.name("k_live")))
    left = "" if deep or live <= MOST_RUNS else f"the oldest of {live:,} (--deep takes all), "
    examined, ailments = await _look(partition, settings, clock, deep=deep)
    for _ in range(LOOKS - 1):
        if ailments:
            await asyncio.sleep(PAUSE)
            ailments &= (await _look(partition, settings, clock, deep=deep))[1]
    if not ailments:
        return [fine(about, f"{examined:,} unfinished runs examined, {left}each in its place")]
    shown = sorted(ailments, key=lambda ailment: (ailment.who, ailment.what))[:SHOWN]
    found = [wrong(about, f"{ailment.who}: {ailment.what}", REPORT) for ailment in shown]
    if len(ailments) > SHOWN:
        found.append(wrong(about, f"and {len(ailments) - SHOWN} more", REPORT))
    return found


async def _look(partition: Partition, settings: Settings, clock: Clock, *, deep: bool) -> tuple[int, set[Ailment]]:
    """How many runs were examined, and all that was wrong."""
    ailments: set[Ailment] = set()
    lanes: set[str] = set()
    examined = 0
    async for ids in live_ids(partition, None if deep else MOST_RUNS):
        examined += len(ids)
        for run, found in await asyncio.gather(*[examine_run(partition, id) for id in ids]):
            ailments.update(found)
            if run is not None:
                lanes.add(run.lane)
    for scope in await scopes_in(partition, lanes):
        ailments.update(await examine_scope(partition, scope))
    if deep:
        ailments.update(await examine_keys(partition, settings, clock))
    return examined, ailments
