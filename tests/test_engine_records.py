"""What Redis holds is read as it was written, and answers that refuse become exceptions."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepwell.platform.codec import encode
from stepwell.platform.engine.answers import Conflict, OverLimit, Stale, accepted
from stepwell.platform.records import EventRecord, RunRecord, Status, StepRow
from stepwell.platform.store.memory import Remembered
from tests.engine_bench import Bench, store_over

NUMBERS = st.integers(0, 1 << 48)


@given(st.text(min_size=1), st.lists(NUMBERS, min_size=5, max_size=5), st.binary(max_size=99))
def test_a_step_row_is_read_as_it_is_written(key: str, numbers: list[int], payload: bytes) -> None:
    text = " ".join(["retrying", "run", *map(str, numbers)]).encode() + b"\n" + payload
    row = StepRow.parse(key.encode(), text)
    assert (row.key, row.state, row.kind, row.payload) == (key, "retrying", "run", payload)
    assert [row.turn, row.attempts, row.started, row.ended, row.due] == numbers


@given(st.lists(st.text("0123456789ABC", min_size=1), max_size=4), st.text(), NUMBERS)
def test_an_event_record_is_read_as_it_is_written(runs: list[str], name: str, received: int) -> None:
    body = encode({"name": name, "data": {"text": name}, "ts": 7})
    record = EventRecord.parse("id", f"T {received} 5 {','.join(runs)}\n".encode() + body)
    assert (record.name, record.data, record.ts, record.received) == (name, {"text": name}, 7, received)
    assert (record.runs, record.sender_id, record.position) == (tuple(runs), "", 5)


async def test_a_header_says_what_the_engine_did() -> None:
    async with store_over(Remembered()) as store:
        bench = Bench(store)
        await bench.clear()
        lease = await bench.started("app/f|a%20b")
        await bench.record(lease, "a", b'"1"')
        await bench.sleep(lease, "nap", 9_000)
        running = await bench.header(lease.run)
        await bench.finish(lease)
        ended = await bench.header(lease.run)
    assert (running.function, running.lane, running.version, running.event) == (
        *("app/f", "app/f|a%20b", "v1"),
        lease.event.id,
    )
    assert (running.status, running.token, running.turn, running.steps) == (Status.RUNNING, lease.token, 1, 2)
    assert (running.bytes, running.pending, running.ended, running.output) == (3, 1, 0, b"")
    assert (ended.status, ended.ended, ended.output, ended.error) == (
        *(Status.COMPLETED, bench.clock.now()),
        *(b'"end"', b""),
    )
    assert running.created == running.started == bench.clock.now()


def test_a_header_with_an_error_is_read() -> None:
    head = b"failed - 0 - 0 0 0 0 3 1 -7 5 2 9"
    run = RunRecord.parse("r", {b"h": head, b"i": b"1 v2 event app/f", b"err": b"{}"})
    assert (run.status.ended, run.crashes, run.attempt, run.notbefore, run.cancel) == (True, 3, 1, -7, 5)
    assert (run.started, run.ended, run.error) == (2, 9, b"{}")


def test_what_is_told_of_an_end_is_read() -> None:
    run = RunRecord.told(b'r event failed - 0 - 0 0 0 0 3 1 -7 5 2 9 1 v2 app/f {"message": "a b"}')
    assert run
    assert (run.id, run.event, run.status, run.function) == ("r", "event", Status.FAILED, "app/f")
    assert (run.ended, run.output, run.error) == (9, b"", b'{"message": "a b"}')
    done = RunRecord.told(b"r event completed - 0 - 0 0 0 0 3 1 -7 5 2 9 1 v2 app/f 12")
    assert done
    assert (done.output, done.error) == (b"12", b"")
    cancelled = RunRecord.told(b"r event cancelled - 0 - 0 0 0 0 3 1 -7 5 2 9 1 v2 app/f ")
    assert cancelled
    assert (cancelled.output, cancelled.error) == (b"", b"")
    assert RunRecord.told(b"r event completed") is None


def test_answers_that_refuse_are_raised() -> None:
    assert accepted(7) == 7
    assert accepted(b"OK") == b"OK"
    with pytest.raises(Stale):
        accepted(b"STALE")
    with pytest.raises(Conflict):
        accepted(b"CONFLICT")
    with pytest.raises(OverLimit, match="steps") as caught:
        accepted([b"LIMIT", b"steps", 1_000])
    assert (caught.value.what, caught.value.size) == ("steps", 1_000)
