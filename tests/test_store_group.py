"""Group commit: many callers, few calls."""

import asyncio
from collections.abc import Sequence

import pytest

from stepwell.platform.errors import ScriptFault, StoreUnavailable
from stepwell.platform.store.connection import Argument
from stepwell.platform.store.group import Done, Group
from stepwell.platform.store.scripts import Item
from stepwell.platform.store.store import Store


class PlayedStore:
    """Keeps each call until the test answers it."""

    def __init__(self) -> None:
        self.calls: list[list[Item]] = []
        self.done: list[Done] = []

    def begin(self, partition: int, name: str, fixed: Sequence[Argument], items: Sequence[Item], done: Done) -> None:
        assert (partition, name, list(fixed)) == (3, "echo", ["now"])
        self.calls.append(list(items))
        self.done.append(done)

    def answer(self, call: int) -> None:
        self.done[call]([f"did {item[0]!s}" for item in self.calls[call]], None)


async def settle() -> None:
    """Lets everything that is ready run."""
    for _ in range(5):
        await asyncio.sleep(0)


def grouped() -> tuple[PlayedStore, Group]:
    store = PlayedStore()
    return store, Group(store, 3, "echo", lambda: ["now"])


async def test_items_of_one_tick_travel_in_one_call_in_order() -> None:
    store, group = grouped()
    asked = [group.add((number,)) for number in range(5)]
    await settle()
    assert store.calls == [[(0,), (1,), (2,), (3,), (4,)]]
    store.answer(0)
    assert await asyncio.gather(*asked) == [f"did {number}" for number in range(5)]


async def test_two_calls_are_in_flight_and_the_rest_gathers() -> None:
    store, group = grouped()
    for number in range(5):
        group.add((number,))
        await settle()
    assert store.calls == [[(0,)], [(1,)]]
    store.answer(1)
    await settle()
    assert store.calls[2:] == [[(2,), (3,), (4,)]]


async def test_calls_hold_64_items() -> None:
    store, group = grouped()
    asked = [group.add((number,)) for number in range(150)]
    await settle()
    assert [len(call) for call in store.calls] == [64, 64]
    store.answer(0)
    await settle()
    assert len(store.calls[2]) == 22
    store.answer(1)
    store.answer(2)
    assert await asyncio.gather(*asked) == [f"did {number}" for number in range(150)]


async def test_calls_hold_one_mebibyte_and_one_larger_item_travels_alone() -> None:
    store, group = grouped()
    for size in (600_000, 500_000, 3_000_000, 10):
        group.add((b"x" * size,))
    await settle()
    store.answer(0)
    store.answer(1)
    await settle()
    store.answer(2)
    await settle()
    assert [[len(bytes(item[0])) for item in call] for call in store.calls] == [  # type: ignore[arg-type]
        [600_000],
        [500_000],
        [3_000_000],
        [10],
    ]


async def test_a_caller_who_leaves_harms_nobody() -> None:
    store, group = grouped()
    asked = [group.add((number,)) for number in range(4)]
    asked[0].cancel()
    await settle()
    assert store.calls == [[(1,), (2,), (3,)]], "what was not sent yet is not sent"
    asked[2].cancel()
    store.answer(0)
    assert [await asked[1], await asked[3]] == ["did 1", "did 3"]


async def test_a_failed_call_fails_its_own_items_only() -> None:
    store, group = grouped()
    first = group.add(("a",))
    await settle()
    second = group.add(("b",))
    await settle()
    store.done[0](None, StoreUnavailable("here", "cut"))
    store.answer(1)
    with pytest.raises(StoreUnavailable):
        await first
    assert await second == "did b"


async def test_a_script_that_answers_too_little_is_at_fault() -> None:
    store, group = grouped()
    asked = [group.add(("a",)), group.add(("b",))]
    await settle()
    store.done[0]([b"one"], None)
    for future in asked:
        with pytest.raises(ScriptFault, match=r"echo: answered \[b'one'\] to 2 items"):
            await future


async def test_an_item_that_cannot_be_written_ends_the_wait_of_its_call_and_no_other(store: Store) -> None:
    group = Group(store, 0, "settle", lambda: [1])
    for _ in range(5):
        with pytest.raises(UnicodeEncodeError):
            await group.add(("arming", "\ud800"))
    assert await group.add(("arming", "nobody")) == 0


async def test_a_group_runs_scripts_of_a_store(store: Store) -> None:
    group = Group(store, 0, "resolve", lambda: [""])
    assert (
        await asyncio.gather(*(group.add((f"R{number}", "step", "done", "", 0, 0, "")) for number in range(100)))
        == [b"GONE"] * 100
    )


async def test_items_added_together_are_answered_together_in_their_order() -> None:
    store, group = grouped()
    together, alone = group.add_all([(number,) for number in range(100)]), group.add(("alone",))
    await settle()
    assert [len(call) for call in store.calls] == [64, 37]
    store.answer(1)
    await settle()
    assert not together.done()
    assert await alone == "did alone"
    store.answer(0)
    assert await together == [f"did {number}" for number in range(100)]


async def test_items_added_together_fail_with_the_first_call_that_fails() -> None:
    store, group = grouped()
    together = group.add_all([(number,) for number in range(200)])
    await settle()
    store.done[0](None, StoreUnavailable("here", "gone"))
    store.answer(1)
    with pytest.raises(StoreUnavailable):
        await together
    await settle()
    assert len(store.calls) == 2, "what nobody waits for is not sent"


async def test_no_items_have_no_answers() -> None:
    _, group = grouped()
    assert await group.add_all([]) == []


async def test_one_who_leaves_takes_what_was_not_sent_along() -> None:
    store, group = grouped()
    group.add_all([(number,) for number in range(200)]).cancel()
    await settle()
    assert store.calls == []
