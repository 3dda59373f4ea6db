"""True and false: what counts as which, and how many conditions become one."""

from collections.abc import Callable, Iterable

from stepwell.platform.expressions.errors import EvaluationError, OutOfBudget
from stepwell.platform.expressions.frame import Frame
from stepwell.platform.expressions.kinds import shown


def truth(value: object) -> bool:
    """The bool a condition stands for: null, and so what is missing, counts as false.

    Raises:
        EvaluationError: it is neither a bool nor null.
    """
    if value is True:
        return True
    if value is False or value is None:
        return False
    raise EvaluationError(f"a condition must be true or false, not {shown(value)}; compare it with something")


def opposite(value: object) -> bool:
    """The opposite of a condition. Raises `EvaluationError` for what is none."""
    return not truth(value)


def settle(conditions: Iterable[Callable[[Frame], bool]], decisive: bool, frame: Frame) -> bool:
    """Whether any condition is true, when that is `decisive`; or whether all are, when false is.

    Raises:
        EvaluationError: the first one, when no condition decides. One that does decides whatever went wrong in others,
            whichever comes first.
        OutOfBudget: at once.
    """
    fault: EvaluationError | None = None
    for condition in conditions:
        try:
            if condition(frame) is decisive:
                return decisive
        except OutOfBudget:
            raise
        except EvaluationError as error:
            fault = fault or error
    if fault is not None:
        raise fault
    return not decisive
