"""When schedules fire: around changes of the clocks as cronsim says, but for what docs/cron.md gives reasons for."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from itertools import islice
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stepwell.functions.triggers import CatchUp
from stepwell.platform.cron.deciding import decide
from stepwell.platform.cron.expression import check_cron, fires, last_fire, next_fire
from stepwell.platform.cron.schedule import Schedule
from tests.cron_oracle import (
    BY_PARTS,
    ENDLESS,
    MADE_UP,
    changes_of,
    every_change,
    our_times,
    sweep,
    times_by_definition,
)

SAMPLED = (
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "America/St_Johns",
    "Africa/Cairo",
    "Antarctica/Troll",
)


def ms(text: str, zone: str = "UTC") -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp() * 1000)


def following(expression: str, zone: str, after: str, count: int) -> list[str]:
    """The next times, as the clocks of the zone show them."""
    found = islice(fires(expression, zone, ms(after, zone)), count)
    return [datetime.fromtimestamp(one / 1000, ZoneInfo(zone)).strftime("%m-%d %H:%M%z") for one in found]


def test_a_time_that_is_skipped_fires_when_the_clocks_are_changed() -> None:
    """In Berlin 02:00 became 03:00 on 29 March 2026."""
    assert following("30 2 * * *", "Europe/Berlin", "2026-03-28T00:00", 3) == [
        "03-28 02:30+0100",
        "03-29 03:00+0200",
        "03-30 02:30+0200",
    ]
    assert following("0,20,40 2,3 * * *", "Europe/Berlin", "2026-03-29T00:00", 3) == [
        "03-29 03:00+0200",
        "03-29 03:20+0200",
        "03-29 03:40+0200",
    ]


def test_when_every_time_of_a_given_hour_is_skipped_one_is_made_up() -> None:
    assert following("*/15 2 * * *", "Europe/Berlin", "2026-03-28T02:40", 3) == [
        "03-28 02:45+0100",
        "03-29 03:00+0200",
        "03-30 02:00+0200",
    ]


def test_a_schedule_of_every_hour_goes_by_the_time_that_passes() -> None:
    assert following("30 * * * *", "Europe/Berlin", "2026-03-29T01:00", 2) == ["03-29 01:30+0100", "03-29 03:30+0200"]
    assert following("30 * * * *", "Europe/Berlin", "2026-10-25T02:00", 3) == [
        "10-25 02:30+0200",
        "10-25 02:30+0100",
        "10-25 03:30+0100",
    ]


def test_a_time_that_is_repeated_fires_once_when_hour_and_minute_are_given() -> None:
    """In Berlin 03:00 became 02:00 on 25 October 2026."""
    assert following("30 2 * * *", "Europe/Berlin", "2026-10-25T00:00", 2) == ["10-25 02:30+0200", "10-26 02:30+0100"]
    assert following("*/30 2 * * *", "Europe/Berlin", "2026-10-25T00:00", 4) == [
        "10-25 02:00+0200",
        "10-25 02:30+0200",
        "10-25 02:00+0100",
        "10-25 02:30+0100",
    ]


def test_a_day_that_a_zone_leaves_out_is_made_up_at_its_end() -> None:
    """Samoa had no 30 December 2011."""
    assert following("0 9 * * *", "Pacific/Apia", "2011-12-29T10:00", 2) == ["12-31 00:00+1400", "12-31 09:00+1400"]


def test_days_of_the_month_and_of_the_week_are_read_as_every_cron_reads_them() -> None:
    assert following("0 0 13 * fri", "UTC", "2026-02-01T00:00", 3) == [
        "02-06 00:00+0000",
        "02-13 00:00+0000",
        "02-20 00:00+0000",
    ]
    assert following("0 0 */2 * mon", "UTC", "2026-02-01T00:00", 2) == ["02-09 00:00+0000", "02-23 00:00+0000"]
    assert following("0 0 L * *", "UTC", "2026-02-01T00:00", 1) == ["02-28 00:00+0000"]
    assert following("0 0 * * 5#2", "UTC", "2026-02-01T00:00", 1) == ["02-13 00:00+0000"]
    assert following("@weekly", "UTC", "2026-02-01T00:00", 1) == ["02-08 00:00+0000"]


@pytest.mark.parametrize(
    ("expression", "zone", "problem"),
    [
        ("0 0 31 2 *", "UTC", "never comes"),
        ("0 0 30 feb *", "UTC", "never comes"),
        ("0 0 31 4,6,9,11 *", "UTC", "never comes"),
        ("0 9 * * *", "Europe/Atlantis", "no time zone 'Europe/Atlantis'"),
        ("0 25 * * *", "UTC", "hour: '25' is not between 0 and 23"),
    ],
)
def test_what_never_comes_is_refused_with_a_reason(expression: str, zone: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        check_cron(expression, zone)


def test_a_leap_day_comes() -> None:
    check_cron("0 0 29 2 *", "UTC")
    assert next_fire("0 0 29 2 *", "UTC", ms("2096-03-01")) == ms("2104-02-29")
    assert last_fire("0 0 29 2 *", "UTC", ms("2103-12-31")) == ms("2096-02-29")


EXPRESSIONS = st.sampled_from(
    ["*/7 * * * *", "30 2 * * *", "*/20 1-3 * * *", "0 0 1 * *", "15 */5 * * 1-5", "0 3 * * 0"]
)
MOMENTS = st.integers(
    int(datetime(2011, 1, 1, tzinfo=UTC).timestamp()), int(datetime(2031, 1, 1, tzinfo=UTC).timestamp())
)


@given(EXPRESSIONS, st.sampled_from(SAMPLED), MOMENTS)
@settings(max_examples=150, deadline=None)
def test_the_last_fire_is_the_one_before_the_next(expression: str, zone: str, moment: int) -> None:
    after = moment * 1000 + 500
    last, coming = last_fire(expression, zone, after), next_fire(expression, zone, after)
    assert last is not None
    assert coming is not None
    assert last <= after < coming
    assert next_fire(expression, zone, last) == coming
    assert next_fire(expression, zone, last - 1) == last
    assert last_fire(expression, zone, coming) == coming


@pytest.mark.parametrize("jitter", [0, 86_400_000])
@pytest.mark.parametrize("catch_up", ["none", "last", "all"])
@pytest.mark.parametrize("expression", ["* * * * *", "* * 1-15 * *", "* 0-11 * * *", "0 0 29 2 *"])
async def test_few_times_are_looked_at_after_a_standstill(
    monkeypatch: pytest.MonkeyPatch, expression: str, catch_up: CatchUp, jitter: int
) -> None:
    schedule = Schedule("shop/tidy/0", "shop/tidy", expression, "UTC", jitter, "allow", catch_up, 86_400_000)
    looked = list[int]()

    def looking(expression: str, tz: str, after: int) -> int | None:
        looked.append(after)
        return next_fire(expression, tz, after)

    monkeypatch.setattr("stepwell.platform.cron.schedule.next_fire", looking)
    monkeypatch.setattr("stepwell.platform.cron.expression.next_fire", looking)
    made = await decide(schedule, schedule.after(ms("2010-01-01")), ms("2026-01-31T12:00"))
    assert 3 <= made.missed <= 100
    assert len(looked) < 250


@pytest.mark.parametrize("zone", SAMPLED)
def test_around_changes_of_the_clocks_cronsim_says_the_same(zone: str) -> None:
    changes = list(changes_of(zone))
    counts, unwanted = sweep(random.Random(zone).sample(changes, min(len(changes), 2)))
    assert unwanted == []
    assert counts["schedules"] > 40


@pytest.mark.parametrize("zone", SAMPLED)
def test_around_changes_of_the_clocks_every_minute_looked_at_says_the_same(zone: str) -> None:
    change = random.Random(zone).choice(list(changes_of(zone)))
    for expression in change.expressions:
        assert list(our_times(change, expression)) == list(times_by_definition(change, expression)), expression


def test_where_we_differ_from_cronsim_is_known() -> None:
    [change] = [one for one in changes_of("Europe/Berlin") if one.moment == ms("2026-03-29T01:00") // 1000]
    assert sweep([change])[0][MADE_UP] == 1
    half = next(one for one in changes_of("Australia/Lord_Howe") if one.by < 0)
    assert sweep([half])[0][BY_PARTS] > 0
    chatham = next(one for one in changes_of("Pacific/Chatham") if one.by < 0)
    assert sweep([chatham])[0][ENDLESS] == 1


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_around_every_change_of_every_zone_in_twenty_years_cronsim_says_the_same() -> None:
    _, unwanted = sweep(every_change())
    assert unwanted == []
