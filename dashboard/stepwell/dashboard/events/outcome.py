"""What became of an event, in a few words: the runs it started, and why there are no more."""

from collections.abc import Mapping
from dataclasses import dataclass

from stepwell.dashboard.wording import tone
from stepwell.dashboard.wording.counts import counted
from stepwell.dashboard.wording.refusals import CONDITION, REASONS
from stepwell.dashboard.wording.tone import Tone
from stepwell.platform.flow import judging
from stepwell.platform.incoming import RESERVED
from stepwell.platform.records import EventRecord, RunRecord
from stepwell.platform.snapshot import Snapshot
from stepwell.platform.waits.outcome import event_json

MOST_RUNS = 3
MOST_MISSED = 2


@dataclass(frozen=True, slots=True)
class Started:
    """A run that is kept."""

    id: str
    function: str
    tone: Tone


@dataclass(frozen=True, slots=True)
class Missed:
    """A function of which there is no run: `label` says why in two words, `text` in a sentence."""

    function: str
    label: str
    text: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an event.

    Args:
        runs: the first of those it started or joined that are kept.
        more: how many others it started or joined.
        missed: the first of the functions that it has started no run of, though it might have.
        more_missed: how many other such functions there are.
        nothing: why none of that is there; empty when something is.
    """

    runs: tuple[Started, ...]
    more: int
    missed: tuple[Missed, ...]
    more_missed: int
    nothing: str

    @property
    def others(self) -> str:
        """The other runs, in words: either there is no room for them, or they are not kept any more."""
        if self.runs:
            return f"+{self.more}"
        runs = counted(self.more, "run")
        return f"{runs}, no longer kept" if self.more <= MOST_RUNS else runs


def outcome(event: EventRecord, snapshot: Snapshot, runs: Mapping[str, RunRecord]) -> Outcome:
    """What became of an event, with those of its runs that were read."""
    known = [runs[id] for id in event.runs[:MOST_RUNS] if id in runs]
    missed = missed_by(event, snapshot)
    return Outcome(
        tuple(Started(run.id, run.function, tone.of_run(run)) for run in known),
        len(event.runs) - len(known),
        missed[:MOST_MISSED],
        max(0, len(missed) - MOST_MISSED),
        "" if event.runs or missed else nothing(event.name, snapshot),
    )


def missed_by(event: EventRecord, snapshot: Snapshot) -> tuple[Missed, ...]:
    """The functions that an event might have started, and has not."""
    refused = [(function, REASONS[refusal.reason]) for function, refusal in event.refusals]
    known = {function for function, _ in refused}
    left_out = judging.left_out(snapshot, event.name, event_json(event))
    refused += [(function, CONDITION) for function in left_out if function not in known]
    return tuple(Missed(function, why.label, why.text) for function, why in refused)


def nothing(name: str, snapshot: Snapshot) -> str:
    """Why an event of this name, which might have started nothing, has started nothing."""
    if snapshot.subscriptions.has(name):
        return "no function listened for it when it came"
    if name in snapshot.awaited:
        return "no function starts on it, but runs may wait for it"
    return "of the platform itself" if name.startswith(RESERVED) else "no function listens for it"
