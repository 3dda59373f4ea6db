"""What is known of the steps of a run while its app is called."""

from stepwell.functions.journal import Outcome
from stepwell.functions.replay import Start
from stepwell.functions.replay.turns import Turns
from stepwell.platform.wire.calls import Script
from stepwell.platform.wire.keys import wire_id

DUE = 0
"""When a step that has failed may be tried again: now."""


class Known:
    """The latest of each step.

    Args:
        start: what the execution began with.
        script: in which steps are written down as they end.
    """

    __slots__ = ("_keys", "_script", "_steps", "_turns")

    def __init__(self, start: Start, script: Script) -> None:
        self._script = script
        self._steps: dict[str, Outcome] = {}
        self._keys: dict[str, str] = {}  # by their wire ids
        self._turns = Turns(start.turn)
        for outcome in sorted(start.outcomes, key=lambda one: (one.turn, one.key)):
            self._note(outcome)

    def __len__(self) -> int:
        """How many steps."""
        return len(self._steps)

    def __contains__(self, key: str) -> bool:
        """Whether a step has been heard of."""
        return key in self._steps

    @property
    def turn(self) -> int:
        """The highest."""
        return self._turns.high

    @property
    def waits(self) -> bool:
        """Whether a step is still to end."""
        return any(not step.ended for step in self._steps.values())

    @property
    def pauses(self) -> bool:
        """Whether a step that has failed is to be tried again later."""
        return any(step.state == "retrying" and step.due != DUE for step in self._steps.values())

    @property
    def due(self) -> list[str]:
        """The steps that are to be tried again now."""
        return [key for key, step in self._steps.items() if _is_due(step)]

    def may_begin(self, key: str) -> bool:
        """Whether a step is to be executed, if anybody asks for it."""
        step = self._steps.get(key)
        return step is None or _is_due(step)

    def has_ended(self, key: str) -> bool:
        """Whether a step has an outcome, which it keeps."""
        return key in self._steps and self._steps[key].ended

    def tried(self, key: str) -> int:
        """Attempts at a step."""
        step = self._steps.get(key)
        return 0 if step is None else step.attempts

    def key_of(self, key: str) -> str:
        """The key of a step by what an operation has: not every one tells the name that the step is known by."""
        return self._keys.setdefault(wire_id(key), key)

    def learn(self, outcome: Outcome) -> bool:
        """Takes news of a step in; whether these are that it has ended."""
        known = self._steps.get(outcome.key)
        if known is not None and _is_older(outcome, known):
            return False
        self._note(outcome)
        return outcome.ended

    def _note(self, outcome: Outcome) -> None:
        self._steps[outcome.key] = outcome
        self._keys[wire_id(outcome.key)] = outcome.key
        self._turns.learn(outcome.turn)
        if outcome.ended:
            self._script.add(outcome)


def _is_due(step: Outcome) -> bool:
    return step.state == "retrying" and step.due == DUE


def _is_older(outcome: Outcome, known: Outcome) -> bool:
    """Whether news of a step were overtaken by what is known of it."""
    late = (outcome.attempts, outcome.due == DUE) < (known.attempts, known.due == DUE)
    return known.ended or (late and not outcome.ended)
