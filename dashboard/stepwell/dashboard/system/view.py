"""What the page of the platform shows."""

import asyncio
from dataclasses import dataclass
from importlib.metadata import version

from stepwell.dashboard.wording.counts import share
from stepwell.dashboard.wording.durations import elapsed
from stepwell.dashboard.wording.findings import ORDER, FindingView, finding_view
from stepwell.dashboard.wording.sizes import size
from stepwell.platform.api.ingest import MAX_REQUEST
from stepwell.platform.doctor.glance import Glance, ServerFacts, glance
from stepwell.platform.incoming import MAX_EVENTS
from stepwell.platform.installation import Installation
from stepwell.platform.reading.counts import Counts
from stepwell.platform.reading.stored import Stored
from stepwell.platform.settings import Settings
from stepwell.platform.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class Fact:
    """Something that is so; `setting` is the name of what changes it."""

    label: str
    value: str
    setting: str = ""


@dataclass(frozen=True, slots=True)
class ServerView:
    """A server of Redis. `percent` is how much of its memory is used, `None` without a limit."""

    where: str
    product: str
    memory: str
    percent: float | None
    persistence: str
    policy: str
    uptime: str
    clients: str


@dataclass(frozen=True, slots=True)
class SystemView:
    """The page. `bad` counts the findings that are not fine."""

    facts: tuple[Fact, ...]
    findings: tuple[FindingView, ...]
    bad: int
    servers: tuple[ServerView, ...]
    kept: tuple[Fact, ...]
    registered: tuple[Fact, ...]
    retention: tuple[Fact, ...]
    limits: tuple[Fact, ...]


async def system_view(installation: Installation, *, dev: bool) -> SystemView:
    """Reads all of it; what the servers do not tell within a second is left out, and said to be."""
    store, settings = installation.store, installation.settings
    seen, counts, stored, registry = await asyncio.gather(
        glance(store, installation.partitions, settings, installation.clock),
        installation.history.counts(),
        installation.history.stored(),
        installation.registry.load(),
    )
    return SystemView(
        facts=(
            Fact("Stepwell", version("stepwell")),
            Fact("Mode", "development" if dev else "server"),
            Fact("Redis", store.where),
            Fact("Partitions", f"{store.partitions:,}", "STEPWELL_PARTITIONS"),
        ),
        findings=_findings(seen),
        bad=sum(finding.level != "fine" for finding in seen.findings),
        servers=tuple(map(_server, seen.servers)),
        kept=_kept(counts, stored),
        registered=_registered(registry),
        retention=_retention(settings),
        limits=_limits(settings),
    )


def _findings(seen: Glance) -> tuple[FindingView, ...]:
    return tuple(map(finding_view, sorted(seen.findings, key=lambda finding: ORDER.index(finding.level))))


def _server(facts: ServerFacts) -> ServerView:
    used, limit = facts.used, facts.limit or 0
    memory = "" if used is None else f"{size(used)} of {size(limit)}, {share(used, limit)}" if limit else size(used)
    return ServerView(
        where=facts.where,
        product=facts.product,
        memory=memory,
        percent=round(min(100.0, 100 * used / limit), 2) if used is not None and limit else None,
        persistence=facts.persistence or "",
        policy=facts.policy or "",
        uptime="" if facts.uptime is None else elapsed(facts.uptime),
        clients="" if facts.clients is None else f"{facts.clients:,}",
    )


def _kept(counts: Counts, stored: Stored) -> tuple[Fact, ...]:
    return (
        Fact("Runs", f"{counts.unfinished + counts.completed + counts.failed + counts.cancelled:,}"),
        Fact("Unfinished", f"{counts.unfinished:,}"),
        Fact("Completed", f"{counts.completed:,}"),
        Fact("Failed", f"{counts.failed:,}"),
        Fact("Cancelled", f"{counts.cancelled:,}"),
        Fact("Events", f"{stored.events:,}"),
        Fact("Armed timers", f"{stored.timers:,}"),
        Fact("On their way", f"{stored.undelivered:,}"),
    )


def _registered(registry: Snapshot) -> tuple[Fact, ...]:
    return (
        Fact("Apps", f"{len(registry.apps):,}"),
        Fact("Functions", f"{len(registry.functions):,}"),
        Fact("Schedules", f"{len(registry.schedules):,}"),
        Fact("Registry", f"version {registry.version:,}"),
    )


def _retention(settings: Settings) -> tuple[Fact, ...]:
    lines = f"{settings.log_lines:,} lines or {size(settings.log_bytes)} of a run"
    return (
        Fact("Finished runs and events", f"{settings.retention_days:g} days", "STEPWELL_RETENTION_DAYS"),
        Fact("Earlier above", f"{settings.retention_memory:.0%} of the memory limit", "STEPWELL_RETENTION_MEMORY"),
        Fact("Logs", lines if settings.log_lines else "none", "STEPWELL_LOG_LINES"),
        Fact("Counts of all functions", "7 days"),
        Fact("Counts of one function", "24 hours"),
        Fact("Ids of events, against duplicates", "24 hours"),
    )


def _limits(settings: Settings) -> tuple[Fact, ...]:
    return (
        Fact("Size of an event", size(settings.max_event_bytes), "STEPWELL_MAX_EVENT_BYTES"),
        Fact("Size of a request", size(MAX_REQUEST)),
        Fact("Events of a request", f"{MAX_EVENTS:,}"),
        Fact("Steps of a run", f"{settings.max_steps:,}", "STEPWELL_MAX_STEPS"),
        Fact("Output of a step", size(settings.max_output_bytes), "STEPWELL_MAX_OUTPUT_BYTES"),
        Fact("State of a run", size(settings.max_run_bytes), "STEPWELL_MAX_RUN_BYTES"),
        Fact("Silence of a worker", f"{settings.session_expiry:g} s", "STEPWELL_SESSION_EXPIRY"),
        Fact("Crashes that a run survives", f"{settings.crash_limit:,}", "STEPWELL_CRASH_LIMIT"),
    )
