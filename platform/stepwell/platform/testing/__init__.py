"""Testing functions offline: a whole platform in memory, in a time that only moves when told to."""

from stepwell.platform.testing.run import TestRun
from stepwell.platform.testing.settling import Unsettled
from stepwell.platform.testing.step import TestStep
from stepwell.platform.testing.testplatform import TestPlatform

__all__ = ["TestPlatform", "TestRun", "TestStep", "Unsettled"]
