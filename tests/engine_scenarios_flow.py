"""What the engine promises of flow control, one rule at a time; see `engine_scenarios`."""

from typing import Any

from stepwell.platform.ids import run_id
from tests.engine_bench import BODY, PATIENCE, Bench, tick_until_quiet
from tests.engine_scenarios import Scenario

SCENARIOS: list[Scenario] = []
SECOND, WEEK = 1_000, 7 * 86_400_000
FN = "app/f"


def scenario(work: Scenario) -> Scenario:
    """Adds it to the list."""
    SCENARIOS.append(work)
    return work


# The verbs, as scripts have them.


async def create(
    bench: Bench, lane: str = FN, options: str = "-", *, event: str = "", notes: str = "-", body: bytes = BODY
) -> tuple[str, str]:
    """A ms later an event comes to a function; gives the run that it would start, and the answer."""
    bench.clock.advance(1)
    event = event or bench.event()
    run = run_id(event, lane.partition("|")[0], bench.partition.index)
    starts = ",".join(run_id(event, function, bench.partition.index) for function in (FN, "app/g"))
    item = run, lane, "v1", event, 0, options, "", notes, b"L 0 0 %s\n%s" % (starts.encode(), body)
    [answer] = await bench.partition.script("create", items=[item])
    return run, answer.decode()


async def made(bench: Bench, lane: str = FN, options: str = "-", *, body: bytes = BODY) -> str:
    """A run that was created."""
    run, answer = await create(bench, lane, options, body=body)
    assert answer == "OK", answer
    return run


async def refused(bench: Bench, options: str = "-") -> str:
    """Why an event starts nothing."""
    run, answer = await create(bench, FN, options)
    assert answer.startswith("SKIPPED "), answer
    assert not await bench.exists("k_run", run)
    return answer.removeprefix("SKIPPED ")


async def adopt(bench: Bench, **rules: str) -> None:
    """Deploys: app/f and app/g have constraints of these names, in this order, with these rules."""
    version = int(await bench.read("HGET", "k_meta", "", "registry")) + 1
    names = [f"{FN}#{name}" for name in rules]
    items: list[tuple[Any, ...]] = [(f"#{name}", rule) for name, rule in zip(names, rules.values(), strict=True)]
    if names:
        items += [(FN, " ".join(names)), ("app/g", " ".join(names))]
    await bench.partition.script("adopt", version, 0, items=items)
    await bench.ticks.tick()


async def pause(bench: Bench, mode: str) -> None:
    """Pauses app/f, or has it go on."""
    assert await bench.partition.script("pause", items=[(FN, mode)]) == [mode.encode()]


async def due(bench: Bench, ms: int) -> None:
    """Time passes, with one tick at its end."""
    bench.clock.advance(ms)
    await tick_until_quiet(bench.ticks)


# Refusing.


@scenario
async def in_no_span_do_more_start_than_a_rate_limit_lets(bench: Bench) -> None:
    options = f"rate=r:2:{10 * SECOND}"
    await made(bench, FN, options)
    bench.clock.advance(9 * SECOND)
    await made(bench, FN, options)
    assert await refused(bench, options) == "rate_limited"
    await made(bench, FN, f"rate=other:2:{10 * SECOND}")
    bench.clock.advance(SECOND - 5)
    assert await refused(bench, options) == "rate_limited"
    await made(bench, FN, options)
    assert await refused(bench, options) == "rate_limited"
    bench.clock.advance(20 * SECOND)
    await made(bench, FN, options)


@scenario
async def starts_that_a_rate_limit_has_seen_are_forgotten(bench: Bench) -> None:
    for _ in range(3):
        await made(bench, FN, f"rate=r:2:{10 * SECOND}")
        bench.clock.advance(10 * SECOND)
    assert await bench.read("LLEN", "k_rate", "r") == 2
    assert 0 < await bench.read("PTTL", "k_rate", "r") <= 10 * SECOND


@scenario
async def what_joins_counts_as_what_starts(bench: Bench) -> None:
    options = f"rate=r:2:{WEEK},once=k:{WEEK},batch=b:9:{SECOND}"
    run = await made(bench, FN, options)
    assert await refused(bench, options) == f"duplicate:{run}"
    assert (await create(bench, FN, options.replace("=k", "=l")))[1] == f"JOINED {run}"
    assert await refused(bench, options.replace("=k", "=m")) == "rate_limited"


@scenario
async def what_is_refused_does_not_count(bench: Bench) -> None:
    await made(bench, FN, "single=s:skip")
    for _ in range(2):
        await refused(bench, f"once=k:{WEEK},rate=r:1:{WEEK},single=s:skip")
    await made(bench, FN, f"once=k:{WEEK},rate=r:1:{WEEK}")


@scenario
async def there_is_one_run_of_a_key_until_it_has_ended(bench: Bench) -> None:
    first = await made(bench, FN, "single=s:skip")
    await made(bench, FN, "single=other:skip")
    assert await refused(bench, "single=s:skip") == f"singleton:{first}"
    lease = await bench.one()
    assert await refused(bench, "single=s:skip") == f"singleton:{first}"
    await bench.sleep(lease, "nap", SECOND)
    await bench.suspend(lease)
    assert await refused(bench, "single=s:skip") == f"singleton:{first}"
    await bench.runs.cancel(first)
    assert not await bench.exists("k_single", "s")
    await made(bench, FN, "single=s:skip")


@scenario
async def a_newer_run_takes_the_place_and_waits_for_the_older_to_let_go(bench: Bench) -> None:
    await adopt(bench, singleton="1")
    first = await made(bench, f"{FN}|a", "single=s:cancel")
    lease = await bench.one()
    second = await made(bench, f"{FN}|a", "single=s:cancel")
    assert (await bench.header(first)).cancel
    third = await made(bench, f"{FN}|a", "single=s:cancel")
    assert await bench.status(second) == "cancelled"
    assert b'"type":"Singleton"' in (await bench.header(second)).error
    assert await bench.lease("w") == []
    await bench.suspend(lease)
    assert await bench.status(first) == "cancelled"
    assert await bench.read("GET", "k_single", "s") == third.encode()
    assert await bench.lease("w") == [third]


@scenario
async def the_older_run_has_its_time_to_let_go_also_before_the_first_tick(bench: Bench) -> None:
    await bench.read("DEL", "k_meta", "")
    first = await made(bench, FN, "single=s:cancel")
    await bench.one()
    await made(bench, FN, "single=s:cancel")
    await due(bench, 0)
    await due(bench, PATIENCE - 1)
    assert await bench.status(first) == "running"
    await due(bench, 1)
    assert await bench.status(first) == "cancelled"


# Gathering.


@scenario
async def a_debounced_run_is_for_its_last_event_when_it_is_quiet(bench: Bench) -> None:
    options = f"debounce=d:{3 * SECOND}:{5 * SECOND}"
    run = await made(bench, f"{FN}|a", options)
    await made(bench, FN, options.replace("=d", "=other"))
    for lane, wait in ((f"{FN}|b", 2_000), (f"{FN}|c", 2_000)):
        await due(bench, wait)
        answer = await create(bench, lane, options)
        assert answer[1] == f"JOINED {run}"
        header = await bench.header(run)
        assert (header.lane, run_id(header.event, FN, 0)) == (lane, answer[0])
    await due(bench, 5_001 - 4_003)
    assert await bench.status(run) == "queued"
    assert (await bench.header(run)).notbefore == 0
    assert await bench.read("ZCARD", "k_queue", f"{FN}|c") == 1
    assert (await create(bench, FN, options))[1] == "OK"


@scenario
async def a_debounced_run_waits_for_quiet_and_no_longer(bench: Bench) -> None:
    options = f"debounce=d:{3 * SECOND}:0"
    run = await made(bench, FN, options)
    for _ in range(4):
        bench.clock.advance(2_998)
        await bench.ticks.tick()
        assert (await create(bench, FN, options))[1] == f"JOINED {run}"
    await due(bench, 2_999)
    assert await bench.lease("w") == []
    await due(bench, 1)
    assert await bench.lease("w") == [run]


@scenario
async def a_debounced_run_is_what_its_last_event_makes_it(bench: Bench) -> None:
    options = f"debounce=d:{SECOND}:0"
    other, run = await made(bench), await made(bench, FN, f"{options},prio=-60")
    await create(bench, FN, f"{options},prio=60", notes="one")
    assert await bench.read("HLEN", "k_arming") == 0
    await due(bench, SECOND)
    assert await bench.read("HGETALL", "k_arming") == [f"{run}!0".encode(), b"0\none"]
    assert await bench.lease("w") == [run, other]


@scenario
async def a_debounced_run_has_the_place_of_its_last_event(bench: Bench) -> None:
    options = f"debounce=d:{SECOND}:0"
    run = await made(bench, FN, f"{options},single=one:skip")
    other = await made(bench, FN, "single=two:skip")
    assert await refused(bench, f"{options},single=two:skip") == f"singleton:{other}"
    assert await bench.read("GET", "k_single", "one") == run.encode()
    assert (await create(bench, FN, f"{options},single=three:skip"))[1] == f"JOINED {run}"
    assert await refused(bench, "single=three:skip") == f"singleton:{run}"
    assert await made(bench, FN, "single=one:skip")
    assert (await create(bench, FN, f"{options},single=two:cancel"))[1] == f"JOINED {run}"
    assert await bench.status(other) == "cancelled"
    await bench.runs.cancel(run)
    assert not await bench.exists("k_single", "two")
    assert not await bench.exists("k_single", "three")


@scenario
async def an_event_that_moves_on_is_kept_for_those_it_still_concerns(bench: Bench) -> None:
    options = f"debounce=d:{SECOND}:0"
    run = await made(bench, FN, options)
    other = await made(bench, "app/g", options.replace("=d", "=e"))
    event = bench.event()
    [answer] = [(await create(bench, FN, options, event=event))[1]]
    assert answer == f"JOINED {run}"
    assert (await create(bench, "app/g", options.replace("=d", "=e"), event=event))[1] == f"JOINED {other}"
    await create(bench, FN, options)
    assert await bench.exists("k_event", event), "the other run is for it"
    await create(bench, "app/g", options.replace("=d", "=e"))
    assert not await bench.exists("k_event", event), "nothing is for it"


@scenario
async def a_batch_begins_when_it_is_full(bench: Bench) -> None:
    options = f"batch=b:3:{WEEK}"
    run = await made(bench, FN, options)
    assert (await create(bench, FN, options))[1] == f"JOINED {run}"
    assert await bench.lease("w") == []
    assert (await create(bench, FN, options))[1] == f"JOINED {run}"
    assert not await bench.exists("k_timers")
    assert not await bench.exists("k_gathering", "b")
    assert await made(bench, FN, options) != run
    lease = await bench.one()
    assert (lease.run, len(lease.events)) == (run, 3)


@scenario
async def a_batch_begins_when_its_events_have_4_mib_with_the_first(bench: Bench) -> None:
    options, large = f"batch=b:99:{WEEK}", b'{"name":"n","data":"%s"}' % (b"x" * 400_000)
    run = await made(bench, FN, options, body=large)
    for _ in range(9):
        assert (await create(bench, FN, options, body=large))[1] == f"JOINED {run}"
    assert await bench.lease("w") == []
    assert (await create(bench, FN, options, body=large))[1] == f"JOINED {run}"
    lease = await bench.one()
    assert (lease.run, len(lease.events)) == (run, 11)


@scenario
async def a_batch_begins_in_time_with_those_that_have_come(bench: Bench) -> None:
    options = f"batch=b:3:{10 * SECOND},single=s:skip"
    run = await made(bench, FN, options)
    await due(bench, 9_998)
    assert (await create(bench, FN, options))[1] == f"JOINED {run}"
    assert await bench.lease("w") == []
    await due(bench, 1)
    lease = await bench.one()
    assert (lease.run, len(lease.events)) == (run, 2)
    assert not await bench.exists("k_gathering", "b")
    assert await refused(bench, options) == f"singleton:{run}"


@scenario
async def nothing_joins_what_was_cancelled_or_is_due(bench: Bench) -> None:
    options = f"batch=b:9:{SECOND}"
    run = await made(bench, FN, options)
    await bench.runs.cancel(run)
    other = await made(bench, FN, options)
    bench.clock.advance(SECOND)
    assert (await create(bench, FN, options))[1] == "OK"
    await bench.ticks.tick()
    assert (await bench.one()).run == other


@scenario
async def a_creation_that_comes_again_joins_once(bench: Bench) -> None:
    options, event = f"batch=b:9:{SECOND}", bench.event()
    run = await made(bench, FN, options)
    for _ in range(2):
        event = event or bench.event()
        assert (await create(bench, FN, options, event=event))[1] == f"JOINED {run}"
    assert await bench.read("LLEN", "k_gathered", run) == 1


# Throttling.


@scenario
async def a_throttle_spreads_starts_evenly_after_a_burst(bench: Bench) -> None:
    await adopt(bench, throttle="throttle 10000.000000 2")
    runs = [await made(bench, f"{FN}|") for _ in range(5)]
    begun = bench.clock.now()
    assert await bench.lease("w") == runs[:2]
    for number, run in enumerate(runs[2:], start=1):
        await due(bench, begun + number * 10_000 - 1 - bench.clock.now())
        assert await bench.lease("w") == []
        await due(bench, 1)
        assert await bench.lease("w") == [run]
    bench.clock.advance(WEEK)
    runs = [await made(bench, f"{FN}|") for _ in range(3)]
    assert await bench.lease("w") == runs[:2]


@scenario
async def a_throttle_makes_up_for_the_first_ms_that_a_start_was_late(bench: Bench) -> None:
    await adopt(bench, throttle="throttle 100.000000 1")
    first, late, even, very_late, last = [await made(bench, f"{FN}|") for _ in range(5)]
    assert await bench.lease("w") == [first]
    await due(bench, 100 + 15)
    assert await bench.lease("w") == [late]
    await due(bench, 84)
    assert await bench.lease("w") == []
    await due(bench, 1)
    assert await bench.lease("w") == [even]
    await due(bench, 100 + 150)
    assert await bench.lease("w") == [very_late]
    await due(bench, 79)
    assert await bench.lease("w") == []
    await due(bench, 1)
    assert await bench.lease("w") == [last]


@scenario
async def a_throttle_lets_runs_begin_after_time_went_back(bench: Bench) -> None:
    await adopt(bench, throttle="throttle 1000.000000 1")
    first, second = await made(bench, f"{FN}|"), await made(bench, f"{FN}|")
    assert await bench.lease("w") == [first]
    assert await bench.lease("w") == []
    await due(bench, 1)
    bench.clock.advance(-3_600_000)
    for _ in range(3):
        await due(bench, SECOND)
        await bench.lease("w")
    assert await bench.read("ZCARD", "k_queue", f"{FN}|") == 0, f"{second} still waits"


@scenario
async def a_throttle_holds_back_none_that_has_begun(bench: Bench) -> None:
    await adopt(bench, throttle="throttle 10000.000000 1")
    first = await made(bench, f"{FN}|")
    lease, second = await bench.one(), await made(bench, f"{FN}|")
    assert await bench.lease("w") == []
    await bench.release(lease)
    assert await bench.lease("w") == [first]
    await due(bench, 10_000)
    assert await bench.lease("w") == [second]


@scenario
async def every_lane_of_a_throttle_has_its_turn(bench: Bench) -> None:
    await adopt(bench, fairness="", throttle="throttle 10000.000000 1")
    runs = [await made(bench, f"{FN}|{lane}|") for lane in "abcd"]
    assert await bench.lease("w") == runs[:1]
    for run in runs[1:]:
        await due(bench, 10_000)
        assert await bench.lease("w") == [run]
    assert not await bench.exists("k_blocked")
    await due(bench, 10_000)
    assert not await bench.exists("k_timers")


@scenario
async def a_lane_that_cannot_start_leaves_its_turn_to_the_next(bench: Bench) -> None:
    for how in ("full", "cancelled"):
        await bench.clear()
        await adopt(bench, key="1", throttle=f"throttle {WEEK}.000000 1")
        sleeper = await made(bench, f"{FN}|a|")
        lease = await bench.one()
        await bench.sleep(lease, "nap", 10_000)
        await bench.suspend(lease)
        blocked, other = await made(bench, f"{FN}|a|"), await made(bench, f"{FN}|b|")
        assert await bench.lease("w") == []
        if how == "full":
            await due(bench, 10_000)
            assert await bench.lease("w") == [sleeper]
        await due(bench, WEEK)
        if how == "cancelled":
            await bench.runs.cancel(blocked)
            await bench.runs.cancel(sleeper)
        await bench.lease("w")
        await due(bench, 1)
        await bench.lease("w")
        assert await bench.status(other) == "running", how


@scenario
async def limits_that_change_hold_for_those_that_wait(bench: Bench) -> None:
    await adopt(bench, key="1", throttle=f"throttle {WEEK}.000000 1")
    runs = [await made(bench, f"{FN}||") for _ in range(4)]
    assert await bench.lease("w") == runs[:1]
    await adopt(bench, key="2", throttle=f"throttle {WEEK}.000000 1")
    assert await bench.lease("w") == []
    await adopt(bench, key="2")
    assert await bench.lease("w") == runs[1:2]
    await adopt(bench)
    assert await bench.lease("w") == runs[2:]
    assert not await bench.exists("k_blocked")


# Pausing.


@scenario
async def a_paused_function_keeps_all_its_runs_waiting(bench: Bench) -> None:
    first = await made(bench)
    lease, second = await bench.one(), await made(bench)
    await pause(bench, "keep")
    await bench.release(lease)
    assert await bench.lease("w") == []
    assert await bench.lease("w", "app/g") == []
    await pause(bench, "-")
    assert await bench.lease("w") == [first, second]
    assert not await bench.exists("k_blocked")


@scenario
async def a_function_on_hold_lets_those_go_on_that_have_begun(bench: Bench) -> None:
    first = await made(bench)
    lease, second = await bench.one(), await made(bench)
    await pause(bench, "hold")
    assert await bench.lease("w") == []
    await bench.release(lease)
    assert await bench.lease("w") == [first]
    await pause(bench, "hold")
    assert await bench.lease("w") == []
    await pause(bench, "keep")
    assert await bench.lease("w") == []
    await pause(bench, "-")
    assert await bench.lease("w") == [second]


@scenario
async def a_function_that_drops_starts_nothing_and_goes_on(bench: Bench) -> None:
    run = await made(bench)
    await pause(bench, "keep")
    assert await bench.lease("w") == []
    await pause(bench, "drop")
    assert await refused(bench, f"once=k:{WEEK}") == "paused"
    assert await bench.lease("w") == [run]
    await pause(bench, "-")
    await made(bench, FN, f"once=k:{WEEK}")


@scenario
async def all_lanes_go_on_after_a_pause_however_many(bench: Bench) -> None:
    await adopt(bench, fairness="")
    await pause(bench, "keep")
    runs = [await made(bench, f"{FN}|{number}") for number in range(150)]
    for _ in range(3):
        assert await bench.lease("w") == []
    await pause(bench, "-")
    await tick_until_quiet(bench.ticks)
    leased = [run for _ in range(4) for run in await bench.lease("w")]
    assert sorted(leased) == sorted(runs)


@scenario
async def those_ahead_go_first_and_those_that_have_begun_before_them(bench: Bench) -> None:
    begun = await made(bench)
    lease = await bench.one()
    late, soon, first = [await made(bench, FN, f"prio={seconds}") for seconds in (-1, 0, 1)]
    await bench.release(lease)
    assert await bench.lease("w") == [begun, first, soon, late]


@scenario
async def a_lane_that_empties_while_it_waits_leaves_nothing(bench: Bench) -> None:
    await adopt(bench, key="1")
    await made(bench, f"{FN}|")
    lease, waiting = await bench.one(), await made(bench, f"{FN}|")
    assert await bench.lease("w") == []
    await bench.runs.cancel(waiting)
    assert not await bench.exists("k_blocked")
    await bench.finish(lease)


# What must not hold up others for ever.


@scenario
async def a_free_slot_is_offered_to_others_when_nobody_takes_it(bench: Bench) -> None:
    await adopt(bench, key="1")
    await made(bench, f"{FN}|")
    lease = await bench.one()
    await made(bench, "app/g|")
    assert await bench.lease("w", "app/g") == []
    second = await made(bench, f"{FN}|")
    assert await bench.lease("w") == []
    await bench.finish(lease)
    assert await bench.lease("w") == [], "it is the turn of app/g, which nobody serves"
    await due(bench, SECOND)
    assert await bench.lease("w") == [second]


@scenario
async def a_throttle_of_any_interval_lets_runs_begin(bench: Bench) -> None:
    for interval in ("0.333333", "16.949153", "33.333333", "142.857143"):
        await adopt(bench, throttle=f"throttle {interval} 1")
        for _ in range(3):
            run = await made(bench, f"{FN}|{interval}")
            assert await bench.lease("w") == [run]
            bench.clock.advance(150)


@scenario
async def a_throttle_that_is_raised_lets_runs_begin(bench: Bench) -> None:
    await adopt(bench, throttle=f"throttle {WEEK}.000000 1")
    first, second = await made(bench, f"{FN}|"), await made(bench, f"{FN}|")
    assert await bench.lease("w") == [first]
    await adopt(bench, throttle="throttle 1000.000000 1")
    assert await bench.lease("w") == []
    await due(bench, SECOND)
    assert await bench.lease("w") == [second]


@scenario
async def what_was_decided_of_an_event_stays_so_when_it_comes_again(bench: Bench) -> None:
    options = f"rate=r:1:{SECOND}"
    await made(bench, FN, options)
    event = bench.event()
    _, answer = await create(bench, FN, options, event=event)
    assert answer == "SKIPPED rate_limited"
    bench.clock.advance(2 * SECOND)
    assert (await create(bench, FN, options, event=event))[1] == answer


@scenario
async def a_run_that_is_overtaken_in_the_call_that_creates_it_is_in_no_lane(bench: Bench) -> None:
    runs: list[tuple[Any, ...]] = []
    for _ in range(3):
        event = bench.event()
        run = run_id(event, FN, bench.partition.index)
        record = b"L 0 0 %s\n%s" % (run.encode(), BODY)
        runs.append((run, FN, "v1", event, 0, "single=s:cancel", "", "-", record))
    assert await bench.partition.script("create", items=runs) == [b"OK"] * 3
    assert await bench.read("ZCARD", "k_queue", FN) == 1
    assert await bench.lease("w") == [runs[-1][0]]


@scenario
async def a_pause_before_which_time_went_back_is_looked_at_once(bench: Bench) -> None:
    await adopt(bench, fairness="")
    await pause(bench, "keep")
    bench.clock.advance(-3_600 * SECOND)
    for number in range(150):
        await made(bench, f"{FN}|{number}")
    for _ in range(3):
        assert await bench.lease("w") == []
    await adopt(bench, fairness="")
    for _ in range(5):
        await bench.ticks.tick()
        assert await bench.lease("w") == []
    assert (await bench.ticks.tick()).wait > 0


@scenario
async def a_batch_is_not_done_again_without_its_events(bench: Bench) -> None:
    run, event = run_id(bench.event(), "again", bench.partition.index), bench.event()
    record = b"N %s\n%s" % (run.encode(), BODY)
    answer = await bench.partition.script("rerun", run, FN, "v1", event, "many=1", "rerun x", "-", 0, 0, 0, 9, record)
    assert answer == b"INCOMPLETE"


@scenario
async def events_that_were_put_down_too_late_make_no_batch(bench: Bench) -> None:
    run, events = run_id(bench.event(), "again", bench.partition.index), [bench.event() for _ in range(3)]
    for event in events:
        await bench.read("SET", "k_event", event, f"L 0 0 \n{BODY.decode()}")
    first, second, third = [[(event,)] for event in events]
    copy = bench.partition.script
    assert await copy("copy_events", run, 600_000, 0, items=first) == b"OK"
    assert await copy("copy_events", run, 600_000, 0, items=first) == b"OK", "a repeat adds nothing"
    assert await copy("copy_events", run, 600_000, 1, items=second) == b"OK"
    assert await bench.read("LRANGE", "k_gathered", run, 0, -1) == [event.encode() for event in events[:2]]
    await bench.read("DEL", "k_gathered", run)
    assert await copy("copy_events", run, 600_000, 2, items=third) == b"INCOMPLETE"


@scenario
async def events_of_a_batch_forget_a_run_that_was_not_created(bench: Bench) -> None:
    first, run = (run_id(bench.event(), name, bench.partition.index) for name in ("first", "again"))
    events = [(bench.event(),) for _ in range(2)]
    for [event] in events:
        await bench.read("SET", "k_event", event, f"L 0 0 {first}\n{BODY.decode()}")
    script = bench.partition.script
    assert await script("copy_events", run, 600_000, 0, items=events) == b"OK"
    assert run.encode() in await bench.read("GET", "k_event", events[0][0])
    assert await script("take_back", run, items=events) == b"OK"
    for [event] in events:
        assert await bench.read("GET", "k_event", event) == f"L 0 0 {first}\n{BODY.decode()}".encode()
    assert not await bench.exists("k_gathered", run)
    there = await made(bench)
    assert await script("take_back", there, items=events) == b"DUP"


@scenario
async def a_run_whose_event_somebody_has_removed_fails(bench: Bench) -> None:
    run = await made(bench)
    event = (await bench.read("HGET", "k_run", run, "i")).split(b" ")[2].decode()
    await bench.read("DEL", "k_event", event)
    assert await bench.lease("w") == []
    assert b"EventLost" in await bench.read("HGET", "k_run", run, "err")
    assert not await bench.exists("k_held", "w")
