"""Why an event has started no run of a function, as people read it."""

from dataclasses import dataclass

from stepwell.platform.flow.refusal import Reason


@dataclass(frozen=True, slots=True)
class Why:
    """A reason: in two words, and in a sentence."""

    label: str
    text: str


CONDITION = Why("condition false", "no condition of its triggers, as it is registered now, is true for this event")
REASONS: dict[Reason, Why] = {
    "paused": Why("paused", "it was paused, and drops what comes meanwhile"),
    "duplicate": Why("duplicate", "a run with the same idempotency key came first"),
    "rate_limited": Why("rate limited", "as many runs as its rate limit lets start had started"),
    "singleton": Why("one at a time", "another run of its singleton key had not ended"),
}
