"""What the engine promises of waits for events, children and controls, one rule at a time; see `engine_scenarios`."""

from collections.abc import Awaitable, Callable
from typing import Any

from stepwell.platform.ids import run_id
from stepwell.platform.records import Lease
from tests.engine_bench import BODY, PATIENCE, Bench, Place
from tests.engine_scenarios import DAY, Scenario

SCENARIOS: list[Scenario] = []
HOUR = 3_600_000


def scenario(work: Scenario) -> Scenario:
    """Adds it to the list."""
    SCENARIOS.append(work)
    return work


# The verbs, as scripts have them.


async def arm(
    place: Place,
    lease: Lease,
    key: str,
    listings: str = "S-word",
    *,
    marks: str = "m",
    child: str = "",
    delay: int = HOUR,
) -> bytes:
    """Arms a wait for events, or for a child; gives the row."""
    place.seq += 1
    item = (
        lease.run,
        lease.token,
        place.seq,
        key,
        "wait",
        delay,
        "",
        listings,
        marks,
        child,
        b"todo",
        b"done null\nshown",
    )
    [row] = await place.partition.script("arm", 5, 1 << 17, items=[item])
    return bytes(row)


async def note(place: Place, who: str) -> tuple[list[int], bytes] | None:
    """Positions and what is to be done, as noted for a wait; `None` when nothing is."""
    text = await place.read("HGET", "k_arming", "", who)
    if text is None:
        return None
    seen, _, todo = text.partition(b"\n")
    return [int(position) for position in seen.split()], todo


async def enlist(
    place: Place,
    who: str,
    after: int = 0,
    *,
    word: str = "word",
    here: bool = True,
    last: bool = True,
    sign: str = "S-",
) -> Any:
    """Lists a wait; gives the answer."""
    [answer] = await place.partition.script("enlist", items=[(word, sign + who, int(here), after, int(last))])
    return answer


async def hear(place: Place, event: str, position: int, *, word: str = "word") -> tuple[int, list[str]]:
    """Notes an event; gives its position and whom it may end."""
    [(bound, *members)] = await place.partition.script("hear", DAY, 3, items=[(word, event, position)])
    return int(bound), [member.decode() for member in members]


async def resolve(
    place: Place, run: str, key: str, payload: bytes = b"1", *, position: int = 0, mark: str = "", state: str = "done"
) -> str:
    """Gives a wait its outcome; gives the answer."""
    item = run, key, state, mark, position or "", 0, payload
    [answer] = await place.partition.script("resolve", items=[item])
    return str(answer.decode())


async def settle(place: Place, what: str, who: str) -> int:
    """Forgets an errand; gives whether there was one."""
    [answer] = await place.partition.script("settle", items=[(what, who)])
    return int(answer)


async def create(place: Place, run: str, *, options: str = "-", link: str = "", notes: str = "-") -> str:
    """Creates a run of app/f with options; gives the answer."""
    item = run, "app/f", "v1", place.event(), 0, options, link, notes, b"N %s\n%s" % (run.encode(), BODY)
    [answer] = await place.partition.script("create", items=[item])
    return str(answer.decode())


async def made(place: Place, **more: str) -> str:
    """A run that was created with options."""
    place.clock.advance(1)
    run = run_id(place.event(), "app/f", place.partition.index)
    assert await create(place, run, **more) == "OK"
    return run


async def listed(place: Place, word: str = "word") -> list[str]:
    """Members of the list of a word."""
    return [member.decode() for member in await place.read("ZRANGE", "k_waits", word, 0, -1)]


# Arming and listing.


@scenario
async def a_wait_is_listed_once_it_has_looked_at_all_that_came_before(bench: Bench) -> None:
    lease = await bench.started()
    assert (await arm(bench, lease, "a")).startswith(b"pending ")
    who = f"{lease.run}|a"
    for position in range(1, 4):
        await hear(bench, f"event-{position}", position)
    assert await enlist(bench, who) == [b"event-1", b"1", b"event-2", b"2", b"event-3", b"3"]
    assert (await listed(bench), (await note(bench, who) or ([], b""))[1]) == ([], b"todo")
    assert await enlist(bench, who, after=3) == b"OK"
    assert (await listed(bench), await note(bench, who)) == ([f"S-{who}"], None)


@scenario
async def a_wait_of_several_keeps_its_note_until_the_last_is_listed(bench: Bench) -> None:
    lease = await bench.started()
    await arm(bench, lease, "a", "S0word;S1other", marks="m n")
    who = f"{lease.run}|a"
    assert await enlist(bench, who, sign="S0", last=False) == b"OK"
    assert await note(bench, who) is not None
    assert await enlist(bench, who, sign="S1", word="other", last=False) == b"OK"
    assert await resolve(bench, lease.run, "a") == "OK"
    assert (await listed(bench), await listed(bench, "other"), await note(bench, who)) == ([], [], None)


@scenario
async def what_does_not_wait_any_more_is_not_listed(bench: Bench) -> None:
    lease = await bench.started()
    ways: list[Callable[[], Awaitable[Any]]] = [
        lambda: resolve(bench, lease.run, "a"),
        lambda: bench.pass_time(HOUR, step=HOUR),
        lambda: bench.finish(lease),
    ]
    for key, way in zip("abc", ways, strict=True):
        await arm(bench, lease, key)
        await way()
        assert await enlist(bench, f"{lease.run}|{key}") == b"GONE"
        assert (await listed(bench), await note(bench, f"{lease.run}|{key}")) == ([], None)


@scenario
async def a_wait_notes_what_others_have_taken_and_since_when_it_waits(bench: Bench) -> None:
    lease = await bench.started()
    await arm(bench, lease, "a", marks="m n")
    await resolve(bench, lease.run, "a", mark="m", position=7)
    await arm(bench, lease, "b", marks="m n")
    noted = await note(bench, f"{lease.run}|b")
    assert noted is not None
    seen, todo = noted
    assert (seen[:2], todo) == ([7, 0], b"todo")
    event = bench.event()
    assert await bench.ingest.add((1, event, "", 0, "word", "", BODY)) == b"OK"
    record = await bench.read("GET", "k_event", event)
    assert seen[2] < int(record.split(b" ")[2])
    assert seen[2] >= lease.event.position


@scenario
async def what_is_taken_stays_taken(bench: Bench) -> None:
    lease = await bench.started()
    for key, position in (("a", 9), ("b", 4)):
        await arm(bench, lease, key)
        await resolve(bench, lease.run, key, mark="m", position=position)
    await arm(bench, lease, "c")
    noted = await note(bench, f"{lease.run}|c")
    assert noted is not None
    assert noted[0][0] == 9


@scenario
async def a_wait_without_time_is_over_when_it_is_reached(bench: Bench) -> None:
    lease = await bench.started()
    assert (await arm(bench, lease, "a", delay=0)).startswith(b"done ")
    assert await note(bench, f"{lease.run}|a") is None


# Hearing.


@scenario
async def events_have_places_of_their_own_and_keep_them(bench: Bench) -> None:
    assert [(await hear(bench, event, 5))[0] for event in ("a", "b", "a", "c")] == [5, 6, 5, 7]
    assert (await hear(bench, "d", 8))[0] == 8
    assert await bench.read("ZRANGE", "k_heard", "word", 0, -1) == [b"b", b"c", b"d"]  # as many as are kept
    assert await bench.read("PTTL", "k_heard", "word") > 0


@scenario
async def an_event_is_offered_to_those_who_wait_for_what_comes_after_less(bench: Bench) -> None:
    for number in range(70):
        assert await enlist(bench, f"{number:026d}|a", after=number, here=False) == b"OK"
    assert (await hear(bench, "early", 2))[1] == [f"S-{number:026d}|a" for number in range(2)]
    assert len((await hear(bench, "late", 99))[1]) == 64


@scenario
async def an_event_and_a_wait_find_each_other_whichever_comes_first(bench: Bench) -> None:
    lease = await bench.started()
    for key, first in (("a", "event"), ("b", "wait")):
        await arm(bench, lease, key)
        who, word = f"{lease.run}|{key}", f"word-{key}"
        if first == "event":
            assert (await hear(bench, "event", 5, word=word))[1] == []
            assert await enlist(bench, who, word=word) == [b"event", b"5"]
        else:
            assert await enlist(bench, who, word=word) == b"OK"
            assert (await hear(bench, "event", 5, word=word))[1] == [f"S-{who}"]


@scenario
async def an_event_that_may_be_awaited_is_kept_until_it_was_given_to_all(bench: Bench) -> None:
    heard, other = bench.event(), bench.event()
    for event, words in ((heard, "one two"), (other, "")):
        assert await bench.ingest.add((1, event, "", 0, words, "", BODY)) == b"OK"
    assert await bench.read("ZRANGE", "k_matches", "", 0, -1) == [f"{heard} one two".encode()]
    bench.clock.advance(DAY)
    assert await bench.ticks.trim_events(DAY) == 0
    assert await settle(bench, "matches", f"{heard} one two") == 1
    assert await bench.ticks.trim_events(DAY) == 2


# One outcome.


@scenario
async def of_two_who_resolve_a_wait_the_first_wins_whoever_that_is(bench: Bench) -> None:
    lease = await bench.started()
    for key, order in (("a", "event time"), ("b", "time event")):
        await arm(bench, lease, key)
        for what in order.split():
            if what == "time":
                await bench.pass_time(HOUR, step=HOUR)
            else:
                assert await resolve(bench, lease.run, key) == ("OK" if key == "a" else "DONE")
        assert (await bench.steps(lease.run))[key].payload == (b"1" if key == "a" else b"null")
    assert await resolve(bench, lease.run, "nothing") == "GONE"
    assert await resolve(bench, lease.run[:-1] + "Z", "a") == "GONE"


@scenario
async def a_run_that_has_ended_takes_nothing_more(bench: Bench) -> None:
    lease = await bench.started()
    await arm(bench, lease, "a")
    await bench.suspend(lease)
    assert await bench.runs.cancel(lease.run) == "CANCELLED"
    assert await resolve(bench, lease.run, "a", mark="m", position=5) == "DONE"
    assert (await bench.steps(lease.run))["a"].state == "pending"
    assert not await bench.read("HEXISTS", "k_run", lease.run, "w:m")


@scenario
async def what_is_listed_elsewhere_is_left_there_to_be_taken_off(bench: Bench) -> None:
    lease = await bench.started()
    await arm(bench, lease, "a", "S0word;E1other@1", marks="m n")
    who = f"{lease.run}|a"
    await enlist(bench, who, sign="S0", last=False)
    assert await enlist(bench.other, who, sign="E1", word="other", here=False, last=False) == b"OK"
    assert await settle(bench, "arming", who) == 1
    await resolve(bench, lease.run, "a")
    assert await listed(bench) == []
    stray = f"1 other E1{who}"
    assert await bench.read("ZRANGE", "k_strays", "", 0, -1) == [stray.encode()]
    items = [("other", f"E1{who}")]
    assert await bench.other.partition.script("unlist", items=items) == [1]
    assert await bench.other.partition.script("unlist", items=items) == [0]
    assert (await settle(bench, "strays", stray), await settle(bench, "strays", stray)) == (1, 0)
    assert not await bench.exists("k_strays")
    assert await listed(bench.other, "other") == []


@scenario
async def a_signal_is_of_one_until_that_one_lets_go_or_is_known(bench: Bench) -> None:
    async def claim(holder: str, known: str = "") -> bytes:
        [answer] = await bench.partition.script("claim", items=[("go", holder, known, HOUR)])
        return bytes(answer)

    assert [await claim("a"), await claim("b"), await claim("b", "c")] == [b"a", b"a", b"a"]
    assert [await claim("b", "a"), await claim("c", "*")] == [b"b", b"c"]
    assert 0 < await bench.read("PTTL", "k_signal", "go") <= HOUR
    assert [await claim("", "b"), await claim("", "c")] == [b"c", b""]
    assert not await bench.exists("k_signal", "go")


# What cancels a run, and what holds it back.


@scenario
async def what_cancels_a_run_is_noted_with_it_and_goes_with_it(bench: Bench) -> None:
    for end in ("cancel", "finish"):
        run = await made(bench, options="cancel=S-stop;E-halt@1", notes="one\x1ftwo")
        assert [await note(bench, f"{run}!{number}") for number in range(2)] == [([0], b"one"), ([0], b"two")]
        assert await enlist(bench, f"{run}!0", word="stop") == b"OK"
        await (bench.runs.cancel(run) if end == "cancel" else bench.finish(await bench.one()))
        assert await enlist(bench, f"{run}!1", word="halt") == b"GONE"
        assert (await listed(bench, "stop"), await bench.read("HLEN", "k_arming")) == ([], 0)
        assert await settle(bench, "strays", f"1 halt E-{run}!1") == 1


@scenario
async def a_key_is_taken_by_the_first_for_its_period(bench: Bench) -> None:
    options = f"once=key:{HOUR}"
    first = await made(bench, options=options)
    assert await create(bench, first, options=options) == "DUP"
    second = run_id(bench.event(), "app/f", 0)
    assert await create(bench, second, options=options) == f"SKIPPED duplicate:{first}"
    assert not await bench.exists("k_run", second)
    assert await create(bench, run_id(bench.event(), "app/f", 0), options=f"once=other:{HOUR}") == "OK"
    bench.clock.advance(HOUR - 1)
    third, fourth = (run_id(bench.event(), "app/f", 0) for _ in range(2))
    assert await create(bench, third, options=options) == f"SKIPPED duplicate:{first}"
    bench.clock.advance(1)
    assert await create(bench, fourth, options=options) == "OK"


@scenario
async def a_run_has_to_begin_and_to_end_in_time_and_not_before(bench: Bench) -> None:
    late = await made(bench, options=f"start={HOUR},finish={2 * HOUR}")
    bench.clock.advance(HOUR - 1)
    await bench.ticks.tick()
    assert await bench.status(late) == "queued"
    begun = await made(bench, options=f"start={HOUR},finish={2 * HOUR}")  # a ms later
    await bench.ticks.tick()
    assert await bench.status(late) == "cancelled"
    lease = await bench.one()
    await bench.sleep(lease, "nap", 9 * HOUR)
    await bench.suspend(lease)
    bench.clock.advance(2 * HOUR - 1)
    await bench.ticks.tick()
    assert await bench.status(begun) == "waiting"
    bench.clock.advance(1)
    await bench.ticks.tick()
    assert await bench.status(begun) == "cancelled"
    assert (await bench.header(begun)).error.startswith(b'{"type":"Timeout","message":"it did not finish within 7200 s')
    assert not await bench.exists("k_timers")


@scenario
async def a_run_that_began_in_time_need_not_end_unless_that_is_said(bench: Bench) -> None:
    run = await made(bench, options=f"start={HOUR}")
    lease = await bench.one()
    assert not await bench.exists("k_timers")
    await bench.sleep(lease, "nap", 9 * HOUR)
    await bench.suspend(lease)
    await bench.pass_time(2 * HOUR, step=HOUR)
    assert await bench.status(run) == "waiting"


@scenario
async def a_run_that_ends_in_time_leaves_no_timer(bench: Bench) -> None:
    for options in (f"start={HOUR}", f"finish={HOUR}", f"start={HOUR},finish={HOUR}"):
        await made(bench, options=options)
        await bench.finish(await bench.one())
        assert await bench.runs.cancel(await made(bench, options=options)) == "CANCELLED"
        assert not await bench.exists("k_timers")


@scenario
async def the_first_reason_for_a_cancel_is_kept_until_the_run_ends(bench: Bench) -> None:
    lease = await bench.started()
    assert await bench.runs.cancel(lease.run, b'{"type":"One"}') == "ASKED"
    assert await bench.runs.cancel(lease.run, b'{"type":"Two"}') == "ASKED"
    bench.clock.advance(PATIENCE)
    await bench.ticks.tick()
    assert (await bench.header(lease.run)).error == b'{"type":"One"}'


# Ends that others are told of.


@scenario
async def the_end_of_a_child_is_to_be_told_whatever_it_is(bench: Bench) -> None:
    for status in ("completed", "failed", "cancelled"):
        run = await made(bench, link="invoke parent call")
        await bench.finish(await bench.one(), status)
        assert await settle(bench, "ends", run) == 1
    await bench.finish(await bench.started(), "failed")
    assert not await bench.exists("k_ends")


@scenario
async def a_child_that_was_planned_by_another_registry_is_not_invoked(bench: Bench) -> None:
    lease = await bench.started()
    await bench.partition.script("adopt", 7, 0)
    for version in (6, 8):
        assert await arm(bench, lease, "call", "", marks="", child=f"child-id {version}") == b"RELOAD"
    assert not await bench.exists("k_steps", lease.run)
    await arm(bench, lease, "call", "", marks="", child="child-id 7")
    assert await bench.read("HGET", "k_run", lease.run, "k:call") == b"child-id"


@scenario
async def the_cancel_of_a_run_that_waits_is_to_be_told_to_what_it_has_invoked(bench: Bench) -> None:
    lease = await bench.started()
    await bench.partition.script("adopt", 7, 0)
    await arm(bench, lease, "call", "", marks="", child="child-id 7")
    assert await bench.read("HGET", "k_run", lease.run, "k:call") == b"child-id"
    await bench.suspend(lease)
    await bench.runs.cancel(lease.run)
    assert await settle(bench, "ends", lease.run) == 1
    # The child is started all the same, should that be under way: what it finds is told by its tombstone.
    assert await settle(bench, "arming", f"{lease.run}|call") == 1


@scenario
async def ends_are_told_to_those_who_listen_to_ends_like_it(bench: Bench) -> None:
    for tells, statuses in (
        (1, {"completed"}),
        (2, {"failed"}),
        (4, {"cancelled"}),
        (7, {"completed", "failed", "cancelled"}),
    ):
        await bench.partition.script("adopt", 1, tells, items=[])
        for status in ("completed", "failed", "cancelled"):
            lease = await bench.started()
            await bench.finish(lease, status)
            assert await settle(bench, "ends", lease.run) == (status in statuses)


@scenario
async def a_child_whose_parent_was_cancelled_first_is_created_cancelled(bench: Bench) -> None:
    child = run_id(bench.event(), "app/f", 0)
    assert await bench.runs.cancel(child, early=True) == "GONE"
    assert await create(bench, child, link="invoke parent call", options="cancel=S-stop", notes="one") == "OK"
    assert await bench.status(child) == "cancelled"
    assert (await settle(bench, "ends", child), await bench.read("HLEN", "k_arming")) == (1, 0)
    assert not await bench.exists("k_tombstones")
    assert await create(bench, child, link="invoke parent call") == "DUP"


# Names that are waited for.


@scenario
async def a_name_is_waited_for_once_and_within_a_limit(bench: Bench) -> None:
    async def ask(*names: str, ready: int = 0, most: int = 4) -> Any:
        return await bench.partition.script("await", ready, most, items=[(name,) for name in names])

    assert await ask("a", "b") == [1, 1]
    assert await ask("a", "b") == [1, 0]
    assert await bench.read("HGET", "k_apps", "", "a") == b"0"
    assert await ask("a", ready=1) == [1, 0]
    assert await ask("a", ready=0) == [1, 0]
    assert await bench.read("HMGET", "k_apps", "", "a", "b") == [b"1", b"0"]
    assert await ask("c", "d") == b"FULL"
    assert await ask("c") == [2, 1]
    assert await ask("a", "b", "c") == [2, 0]


@scenario
async def a_run_is_kept_until_all_were_told_of_its_end(bench: Bench) -> None:
    child, other = await made(bench, link="invoke parent call"), await bench.send()
    for _ in range(2):
        await bench.finish(await bench.one())
    bench.clock.advance(DAY)
    assert await bench.ticks.trim_runs(DAY) == 1
    assert (await bench.exists("k_run", child), await bench.exists("k_run", other)) == (True, False)
    assert await settle(bench, "ends", child) == 1
    assert await bench.ticks.trim_runs(DAY) == 1
