"""One errand that cannot be done must not keep the others from being done."""

from collections.abc import Awaitable

import structlog

from stepwell.platform.errors import StepwellError


async def despite(work: Awaitable[object], who: str) -> bool:
    """Does an errand; answers whether it could be, and says so when what it is about is more than can be handled.

    Raises `StepwellError`: then it can be done later.
    """
    try:
        await work
    except StepwellError:
        raise
    except Exception:
        structlog.get_logger().exception("errand_given_up", of=who)
        return False
    return True
