"""How patiently the client tries again, and that its errors say what to do."""

from __future__ import annotations

import pickle

import pytest

from stepwell.client import Busy, ClientError, Faulty, Refused, Retry, TooLarge, Unauthorized, Unexpected, Unreachable

DOWN = Unreachable("http://127.0.0.1:8288", "refused")


def busy(retry_after: float | None) -> Busy:
    return Busy(503, "full", "memory is nearly full", "wait", retry_after)


@pytest.mark.parametrize("error", [DOWN, busy(None), Faulty(500, "", "fault")])
def test_what_may_pass_is_tried_again(error: ClientError) -> None:
    assert Retry().pause(error, 1, 0) is not None


@pytest.mark.parametrize(
    "error", [Refused(400, "", "no name"), Unauthorized(401, "", "unknown key"), TooLarge(413, "", "too large")]
)
def test_a_refusal_is_final(error: ClientError) -> None:
    assert Retry().pause(error, 1, 0) is None


def test_pauses_double_up_to_the_longest() -> None:
    retry = Retry(first=0.1, most=5)
    for tried, longest in [(1, 0.1), (2, 0.2), (3, 0.4), (7, 5.0)]:
        pause = retry.pause(DOWN, tried, 0)
        assert pause is not None
        assert longest / 2 <= pause <= longest


def test_a_pause_the_server_asks_for_is_kept() -> None:
    assert Retry().pause(busy(7), 1, 0) == 7


def test_tries_and_patience_end_it() -> None:
    assert Retry(tries=3).pause(DOWN, 3, 0) is None
    assert Retry(patience=10).pause(busy(7), 1, 4) is None
    assert Retry(tries=1).pause(DOWN, 1, 0) is None


def test_impossible_bounds_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        Retry(tries=0)
    with pytest.raises(ValueError, match="cannot be negative"):
        Retry(patience=-1)


async def test_persist_returns_the_first_success_or_raises_the_last_error() -> None:
    outcomes: list[ClientError | str] = [DOWN, busy(0), "done"]

    async def call() -> str:
        outcome = outcomes.pop(0)
        if isinstance(outcome, ClientError):
            raise outcome
        return outcome

    assert await Retry(first=0).persist(call) == "done"
    outcomes += [DOWN, busy(0)]
    with pytest.raises(Busy):
        await Retry(tries=2, first=0).persist(call)


def test_errors_say_what_was_wrong_and_what_to_do() -> None:
    assert str(DOWN) == (
        "no answer from http://127.0.0.1:8288: refused. Start a server with `stepwell dev`, "
        "or set STEPWELL_URL to the address of the one that runs"
    )
    assert str(busy(1)) == "memory is nearly full (503 full). wait"
    assert str(Refused(400, "", "event 0: no name")) == "event 0: no name (400)"


@pytest.mark.parametrize("error", [DOWN, busy(2.0), Unexpected("http://x", "answered 200 with text/html")])
def test_errors_survive_pickling(error: ClientError) -> None:
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is type(error)
    assert copy.args == error.args
    assert str(copy) == str(error)
