"""What a test has planned to go wrong: steps that fail, and workers that die at one."""

from collections.abc import Iterator
from typing import Literal

Moment = Literal["before", "after"]
"""A worker dies before the outcome of a step is recorded, or right after that."""
MOST_NAMED = 20


class Fault:
    """One thing planned for a step.

    Args:
        text: the call that planned it, for messages.
        step: key of the step.
        times: how often it happens.
        function: whose step, as `app/function`; `None` for any.
    """

    __slots__ = ("_function", "_left", "_step", "_times", "text")

    def __init__(self, text: str, step: str, times: int, function: str | None) -> None:
        if type(times) is not int or times < 1:
            raise ValueError(f"{text}: times is a whole number from 1 on, not {times!r}")
        self.text = text
        self._step = step
        self._times = times
        self._left = times
        self._function = function

    @property
    def met(self) -> bool:
        """Whether it has happened at all."""
        return self._left < self._times

    def strikes(self, function: str, step: str) -> bool:
        """Whether it happens now, at this step; that uses up one of its times."""
        if not self._left or step != self._step or self._function not in (None, function):
            return False
        self._left -= 1
        return True


class Faults:
    """All that is planned; what was planned first happens first."""

    __slots__ = ("_crashes", "_failures", "_steps")

    def __init__(self) -> None:
        self._failures: list[tuple[Fault, Exception]] = []
        self._crashes: list[tuple[Fault, Moment]] = []
        self._steps: dict[str, None] = {}

    def fail(self, step: str, times: int, function: str | None, error: object) -> None:
        """Plans that a step raises `error` instead of running its body. Raises `TypeError`, `ValueError`."""
        text = f"fail({step!r})"
        made: object = error() if isinstance(error, type) else error
        if made is None:
            made = RuntimeError(f"step {step!r} was made to fail by the test")
        if not isinstance(made, Exception):
            raise TypeError(f"{text}: error is an exception, not {made!r}")
        self._failures.append((Fault(text, step, times, function), made))

    def crash(self, before: str | None, after: str | None, times: int, function: str | None) -> None:
        """Plans that the worker dies at a step. Raises `TypeError`, `ValueError`."""
        if before is not None and after is None:
            self._crashes.append((Fault(f"crash(before={before!r})", before, times, function), "before"))
        elif after is not None and before is None:
            self._crashes.append((Fault(f"crash(after={after!r})", after, times, function), "after"))
        else:
            raise TypeError("crash: say either before= or after= which step")

    def error_at(self, function: str, step: str) -> Exception | None:
        """What the attempt that begins now is to raise."""
        self._steps[step] = None
        return next((error for fault, error in self._failures if fault.strikes(function, step)), None)

    def dies_at(self, moment: Moment, function: str, step: str) -> bool:
        """Whether the worker dies now."""
        self._steps[step] = None
        return any(when == moment and fault.strikes(function, step) for fault, when in self._crashes)

    def check(self) -> None:
        """Raises `AssertionError` when something that was planned has never happened, as after a slip in a name."""
        unmet = [fault.text for fault in self._planned() if not fault.met]
        if unmet:
            steps = ", ".join(map(repr, list(self._steps)[:MOST_NAMED])) or "none"
            raise AssertionError(f"{unmet[0]} never happened: no run came to that step. The steps were: {steps}")

    def _planned(self) -> Iterator[Fault]:
        yield from (fault for fault, _ in self._failures)
        yield from (fault for fault, _ in self._crashes)
