"""Why a run is not steered as somebody wanted it."""

from stepwell.platform.errors import StepwellError


class NotSteered(StepwellError):
    """Base of these; nothing was changed.

    Args:
        problem: what was wrong, with the value.
        hint: what to do about it.
    """

    def __init__(self, problem: str, hint: str = "") -> None:
        super().__init__(problem, hint)
        self.problem = problem
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.problem}. {self.hint}" if self.hint else self.problem


class NoSuchRun(NotSteered):
    """There is no run of this id."""


class NoSuchFunction(NotSteered):
    """No function of this id is registered."""


class NoSuchStep(NotSteered):
    """The run has no step of this key."""


class NotNow(NotSteered):
    """What the run, or its step, is doing does not allow it."""


class Unfit(NotSteered):
    """What was given cannot be used."""


def no_such_run(id: str) -> NoSuchRun:
    """The refusal of an id."""
    shown = id if len(id) <= 80 else f"{id[:80]}…"
    return NoSuchRun(f"there is no run {shown!r}", "It may have been removed by retention, or the id is not complete")
