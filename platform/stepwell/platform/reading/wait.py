"""One thing that a run waits for."""

from dataclasses import dataclass

from stepwell.platform.reading.pending import NOTHING, Pending


@dataclass(frozen=True, slots=True)
class Wait:
    """One thing that a run waits for. Times in ms UTC; what does not apply to its kind is `None`.

    Args:
        kind: sleep, or another kind of step; retry (of `step`, or of the function when it is `None`); start (delayed by
            its event); debounce and batch (it waits for more events); paused (its function is); concurrency (every
            slot is taken); throttle (as many have started as may for now); moved (runs of its function execute where it
            lived before the last deploy); worker (none serves the function); away (its app cannot be reached); queue
            (of its lane).
        step: key of the step that waits.
        until: when it goes on.
        attempts: tries so far.
        error: that of the last try, JSON.
        key: the value that the limit counts by, "" when it counts all runs of the function.
        limit: slots there are.
        held: slots that are taken.
        ahead: runs of the same lane before it.
        holders: the runs that have the slots, the first of them.
        position: of its lane among those that wait for the same, from 0.
        mode: how its function is paused.
        events: that it has so far.
        app: that cannot be reached.
        since: when it could not be for the first time; `None` when only this run is known not to have reached it.
        why: what happens on a call.
        what: events, or the run, that a step waits for.
    """

    kind: str
    step: str | None = None
    until: int | None = None
    attempts: int | None = None
    error: bytes | None = None
    key: str | None = None
    limit: int | None = None
    held: int | None = None
    ahead: int | None = None
    holders: tuple[str, ...] = ()
    position: int | None = None
    mode: str | None = None
    events: int | None = None
    app: str | None = None
    since: int | None = None
    why: str | None = None
    what: Pending = NOTHING
