"""`stepwell doctor`: is everything as it has to be?"""

import asyncio
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from stepwell.platform.cli.console import AsJson, say, say_json
from stepwell.platform.doctor.finding import Finding, wrong
from stepwell.platform.logs import configure_logs
from stepwell.platform.settings import Settings

SIGNS = {
    "fine": typer.style("ok      ", fg=typer.colors.GREEN),
    "warning": typer.style("warning ", fg=typer.colors.YELLOW),
    "wrong": typer.style("wrong   ", fg=typer.colors.RED),
}


def doctor(
    data_dir: Annotated[Path | None, typer.Option(help="Of the `stepwell dev` to examine; default: .stepwell.")] = None,
    deep: Annotated[bool, typer.Option("--deep", help="Look at every run and every key, however many.")] = False,
    json: AsJson = False,
) -> int:
    """Examine Redis, its settings and what is in it, and say what to do. Exit code 1 when something is wrong."""
    configure_logs()
    settings = Settings() if data_dir is None else Settings(data_dir=data_dir)
    findings = asyncio.run(_examine(settings, deep=deep))
    healthy = all(finding.level != "wrong" for finding in findings)
    if json:
        say_json({"healthy": healthy, "findings": [asdict(finding) for finding in findings]})
        return int(not healthy)
    for finding in findings:
        say(f"{SIGNS[finding.level]}{finding.about}: {finding.text}")
        if finding.mend:
            say(f"        {finding.mend}.")
    say()
    say(_summary(findings))
    return int(not healthy)


async def _examine(settings: Settings, *, deep: bool) -> list[Finding]:
    # Imported here, because it takes longer than most commands.
    from stepwell.platform.clock import SystemClock
    from stepwell.platform.doctor.examination import examine
    from stepwell.platform.errors import StoreMisconfigured, StoreUnavailable
    from stepwell.platform.store.store import Store

    try:
        async with Store.open(settings) as store:
            return await examine(store, settings, SystemClock(), deep=deep)
    except StoreMisconfigured as error:
        return [wrong("server", error.problem, error.hint)]
    except StoreUnavailable as error:
        return [wrong("server", str(error), "Start it, or correct STEPWELL_REDIS_URL")]


def _summary(findings: list[Finding]) -> str:
    counts = {level: sum(finding.level == level for finding in findings) for level in SIGNS}
    if counts["wrong"] or counts["warning"]:
        return f"{counts['wrong']} wrong, {counts['warning']} to look after."
    return "All is well."
