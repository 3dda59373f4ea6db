"""Schedules as they are written down: what is taken, what is refused and how that is said, and what is registered."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from stepwell.functions import App, Context, InvalidDuration, InvalidTrigger, cron, event
from stepwell.functions.crontab import check_expression, fields_of
from stepwell.functions.protocol import CronManifest, Manifest, TriggerManifest


async def tidy(ctx: Context[Any]) -> None: ...


@pytest.mark.parametrize(
    "expression",
    [
        "* * * * *",
        "*/5 9-17 * * mon-fri",
        "0,30 22-2 1,15 jan-mar,dec *",
        "5/10 0 L * ?",
        "0 0 ? * 5#2",
        "0 0 * * FRI#1,fri#3",
        "0 0 * * l5",
        "59 23 31 12 7",
        "  0   9 * * *  ",
        "@daily",
        "@Hourly",
    ],
)
def test_what_is_a_cron_expression(expression: str) -> None:
    assert check_expression(expression) == expression
    assert len(fields_of(expression)) == 5


@pytest.mark.parametrize(
    ("expression", "problem"),
    [
        ("", "write five fields"),
        ("* * * *", "write five fields"),
        ("* * * * * *", "write five fields"),
        ("@reboot", "or one of @hourly, @daily"),
        ("* " * 200, "write five fields"),
        ("60 * * * *", "minute: '60' is not between 0 and 59"),
        ("* 24 * * *", "hour: '24' is not between 0 and 23"),
        ("* * 0 * *", "day of the month: '0' is not between 1 and 31"),
        ("* * * 13 *", "month: '13' is not between 1 and 12 or a name such as jan"),
        ("* * * * 8", "day of the week: '8' is not between 0 and 7 or a name such as sun"),
        ("* * * * june", "'june' is not between 0 and 7"),
        ("*/0 * * * *", "the step of '*/0' is not between 1 and 59"),
        ("*/60 * * * *", "the step of '*/60' is not between 1 and 59"),
        ("5-5/2 * * * *", "'5-5/2' begins where it ends; write '5'"),
        ("1,,2 * * * *", "'' is not understood"),
        ("*-5 * * * *", "'*-5' is not understood"),
        ("H * * * *", "minute: 'h' is not between"),
        ("R * * * *", "minute: 'r' is not between"),
        ("* * 15W * *", "day of the month: '15w' is not between"),
        ("? * * * *", "minute: '?' is not understood"),
        ("* * * * 5#6", "'5#6' is not understood"),
        ("* * 1 * 5#2", "days of two kinds: give the function two crons"),
        ("* * * * 1,5#2", "days of every week and of some: give the function two crons"),
    ],
)
def test_what_is_none_is_refused_with_the_field_and_the_value(expression: str, problem: str) -> None:
    with pytest.raises(InvalidTrigger) as refused:
        cron(expression)
    assert problem in str(refused.value)


def test_an_expression_is_text() -> None:
    with pytest.raises(InvalidTrigger, match="a cron expression is text"):
        cron(5)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("zone", ["Europe/Atlantis", "", "../etc/passwd", "Europe", "CET+1:00"])
def test_a_zone_that_is_none_is_refused(zone: str) -> None:
    with pytest.raises(InvalidTrigger, match=r'is no time zone: use a name such as "Europe/Berlin"'):
        cron("@daily", tz=zone)


@pytest.mark.parametrize(
    ("choices", "problem"),
    [
        ({"overlap": "wait"}, "overlap='wait': choose one of allow, skip, queue, cancel_old"),
        ({"catch_up": True}, "catch_up=True: choose one of none, last, all"),
        ({"jitter": "2d"}, "jitter is at most a day"),
        ({"window": "367d"}, "window is at most 366 days"),
    ],
)
def test_a_choice_that_is_none_is_refused(choices: dict[str, Any], problem: str) -> None:
    with pytest.raises(InvalidTrigger, match=problem):
        cron("@daily", **choices)
    with pytest.raises(InvalidDuration):
        cron("@daily", jitter="soon")


def test_a_schedule_is_registered_with_its_choices_and_beside_events() -> None:
    app = App("shop")
    every = cron("@hourly", tz="Asia/Tokyo", jitter="1m", overlap="skip", catch_up="all", window=timedelta(days=1))
    made = app.function(on=["order.placed", every, event("order.paid"), cron("0 9 * * *")])(tidy)
    assert made.manifest.triggers == [
        TriggerManifest(event="order.placed"),
        CronManifest(cron="@hourly", tz="Asia/Tokyo", jitter=60_000, overlap="skip", catch_up="all", window=86_400_000),
        TriggerManifest(event="order.paid"),
        CronManifest(cron="0 9 * * *", tz="UTC", jitter=0, overlap="allow", catch_up="last", window=3_600_000),
    ]
    assert Manifest.model_validate_json(app.manifest.model_dump_json(exclude_defaults=True)) == app.manifest


def test_the_same_schedule_twice_counts_once_and_with_other_choices_is_refused() -> None:
    app = App("shop")
    assert len(app.function(on=[cron("@daily"), cron("@daily")])(tidy).triggers) == 1
    with pytest.raises(InvalidTrigger, match=r"^shop/other: cron '@daily' in UTC is given twice"):
        app.function(id="other", on=[cron("@daily"), cron("@daily", overlap="skip")])(tidy)


def test_a_schedule_that_was_given_as_a_name_is_told_from_one() -> None:
    with pytest.raises(InvalidTrigger, match=r'write on=cron\("0 9 \* \* \*"\)'):
        App("a").function(on="0 9 * * *", id="tick")(lambda ctx: None)
