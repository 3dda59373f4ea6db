"""What the controls of a function do, in words."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from stepwell.dashboard.wording.counts import counted
from stepwell.dashboard.wording.durations import span
from stepwell.functions.protocol import ConcurrencyManifest, FunctionManifest


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of a sentence; `code` is for what somebody has written in their app."""

    text: str
    code: bool = False


@dataclass(frozen=True, slots=True)
class Control:
    """One control: what it is called in code, in two words what it does, and in a sentence."""

    name: str
    brief: str
    says: tuple[Piece, ...]

    @property
    def text(self) -> str:
        """The sentence as plain text."""
        return "".join(piece.text for piece in self.says)


def controls_of(manifest: FunctionManifest) -> tuple[Control, ...]:
    """All that a function has, in the order in which they are documented."""
    return tuple(control for explain in EXPLAINED.values() for control in explain(manifest))


def _retries(manifest: FunctionManifest) -> Iterator[Control]:
    times = manifest.retries.times
    text = (
        f"What fails, a step or the function itself, is tried {counted(times, 'more time')}, after a pause."
        if times
        else "Nothing that fails is tried again."
    )
    yield Control("retries", counted(times, "retry", "retries"), (Piece(text),))


def _concurrency(manifest: FunctionManifest) -> Iterator[Control]:
    for one in manifest.concurrency:
        says = (
            Piece(_at_most(one.limit)),
            *_each(one.key, " of one "),
            Piece(" at once"),
            *_shared(one),
        )
        yield Control("concurrency", f"{one.limit:,} at once", (*says, Piece("; others wait in their order.")))


def _shared(one: ConcurrencyManifest) -> Iterator[Piece]:
    if one.scope != "function":
        whose = "functions of this app" if one.scope == "app" else "functions of all apps"
        yield Piece(f", counted with those of all {whose} that name ")
        yield Piece(one.name or "", code=True)


def _throttle(manifest: FunctionManifest) -> Iterator[Control]:
    if one := manifest.throttle:
        burst = f", {one.burst:,} at once after a quiet time" if one.burst > 1 else ""
        text = _at_most(one.limit)
        rest = f" begin in {span(one.period)}, evenly spread{burst}; others wait until it is their turn."
        yield Control(
            "throttle", f"{one.limit:,} in {span(one.period)}", (Piece(text), *_each(one.key, " of one "), Piece(rest))
        )


def _rate_limit(manifest: FunctionManifest) -> Iterator[Control]:
    if one := manifest.rate_limit:
        rest = f" are started in {span(one.period)}; events beyond that start nothing."
        says = (Piece(_at_most(one.limit)), *_each(one.key, " of one "), Piece(rest))
        yield Control("rate_limit", f"first {one.limit:,} in {span(one.period)}", says)


def _debounce(manifest: FunctionManifest) -> Iterator[Control]:
    if one := manifest.debounce:
        last = f", or {span(one.timeout)} after the first of them" if one.timeout else ""
        rest = f" has come for {span(one.period)}{last}. It is for the last one."
        says = (Piece("A run starts when no further event"), *_each(one.key, " of one "), Piece(rest))
        yield Control("debounce", f"after {span(one.period)} of quiet", says)


def _batch(manifest: FunctionManifest) -> Iterator[Control]:
    if one := manifest.batch:
        rest = f" start one run together, or those that have come {span(one.timeout)} after the first."
        alone = (Piece(" An event of which "), Piece(one.if_, code=True), Piece(" is not true starts one alone."))
        says = (
            Piece(f"{one.max_size:,} events"),
            *_each(one.key, " of one "),
            Piece(rest),
            *(alone if one.if_ else ()),
        )
        yield Control("batch", f"{one.max_size:,} together", says)


def _priority(manifest: FunctionManifest) -> Iterator[Control]:
    if one := manifest.priority:
        says = (
            Piece("A run goes ahead of others by as many seconds, -600 to 600, as "),
            Piece(one.expression, code=True),
        )
        yield Control("priority", "by priority", (*says, Piece(" says.")))


def _singleton(manifest: FunctionManifest) -> Iterator[Control]:
    if one := manifest.singleton:
        rest = {
            "skip": ": an event that comes before it has ended starts nothing.",
            "cancel": ": an event that comes before it has ended cancels it, and starts the next one.",
        }[one.mode]
        yield Control(
            "singleton", "one run", (Piece("One run"), *_each(one.key, " of one "), Piece(" at a time"), Piece(rest))
        )


def _fairness(manifest: FunctionManifest) -> Iterator[Control]:
    if one := manifest.fairness:
        says = (
            Piece("Runs of different "),
            Piece(one.key, code=True),
            Piece(" take turns, so that none has to wait behind many of another."),
        )
        yield Control("fairness", "in turns", says)


def _idempotency(manifest: FunctionManifest) -> Iterator[Control]:
    if one := manifest.idempotency:
        rest = f" starts a run; the others, for {span(one.period)}, start nothing."
        says = (Piece("The first event of one "), Piece(one.key, code=True), Piece(rest))
        yield Control("idempotency", "once for a key", says)


def _timeouts(manifest: FunctionManifest) -> Iterator[Control]:
    limits = manifest.timeouts
    if limits and limits.start:
        text = f"A run that has not begun {span(limits.start)} after it was created is cancelled."
        yield Control("timeouts", f"starts in {span(limits.start)}", (Piece(text),))
    if limits and limits.finish:
        text = f"A run that has not ended {span(limits.finish)} after it began is cancelled."
        yield Control("timeouts", f"ends in {span(limits.finish)}", (Piece(text),))


def _cancel_on(manifest: FunctionManifest) -> Iterator[Control]:
    for one in manifest.cancel_on:
        within = f" that is not older than {span(one.within)}" if one.within else ""
        true = (Piece(" if "), Piece(one.if_, code=True)) if one.if_ else ()
        says = (Piece("An event "), Piece(one.event, code=True), Piece(f" cancels a run{within}"), *true, Piece("."))
        yield Control("cancel_on", "cancelled by events", says)


def _at_most(limit: int) -> str:
    return f"At most {counted(limit, 'run')}"


def _each(key: str | None, before: str) -> tuple[Piece, ...]:
    return (Piece(before), Piece(key, code=True)) if key else ()


EXPLAINED: Mapping[str, Callable[[FunctionManifest], Iterator[Control]]] = MappingProxyType(
    {
        "retries": _retries,
        "concurrency": _concurrency,
        "throttle": _throttle,
        "rate_limit": _rate_limit,
        "debounce": _debounce,
        "batch": _batch,
        "priority": _priority,
        "singleton": _singleton,
        "fairness": _fairness,
        "idempotency": _idempotency,
        "timeouts": _timeouts,
        "cancel_on": _cancel_on,
    }
)
"""By the name of the field of the manifest; every field that says how a function runs is here."""
