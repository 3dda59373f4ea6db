"""The nightly digest comes once a night, whatever the clocks of Berlin do."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from examples import digest
from stepwell.platform.testing import TestPlatform

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("start", "times"),
    [
        # On 29 March 2026 two o'clock is three at once: the digest comes when the clocks are put on.
        (datetime(2026, 3, 28, 12, tzinfo=BERLIN), ["29 03:00 +0200", "30 02:30 +0200", "31 02:30 +0200"]),
        # That of 25 October has half past two twice: the digest comes the first time.
        (datetime(2026, 10, 24, 12, tzinfo=BERLIN), ["25 02:30 +0200", "26 02:30 +0100", "27 02:30 +0100"]),
    ],
)
async def test_it_comes_once_a_night(start: datetime, times: list[str]) -> None:
    async with TestPlatform(digest.app, start=start) as platform:
        await platform.advance("3d")
        runs = await platform.runs("digest/nightly")
        assert [run.created_at.astimezone(BERLIN).strftime("%d %H:%M %z") for run in runs if run.created_at] == times
        days = [run.completed()["day"] for run in runs]
        assert days == sorted(set(days))
