"""Requests of the SDK protocol with anything in them: each is answered, or is told what is wrong with it."""

import asyncio
from collections.abc import Mapping

import httpx2
from hypothesis import given, settings
from hypothesis import strategies as st

from stepwell.platform.store.memory import memory_store
from stepwell.platform.wire.calls import right_of
from tests.api_desk import Desk, function
from tests.test_remote_fuzz import CONDITIONS, DEEP, KEYS, NAMES, ODD, OPTIONS, REPORTS, TIMES, json_of, objects, texts

RUN = "{run}"
"""In a path or body: the id of a run that executes."""
TOKEN = "{token}"
"""The right to record for it."""

IDS = st.sampled_from([RUN, "01KDVDNA0000SS5Q8MFXV5EQ69", "x", "%00", "%0a", "%20", "%F0%9F%98%80", "7" * 600, "%ff"])
TOKENS = st.sampled_from([TOKEN, "s:1", "", "a\nb", "x" * 300]).map(
    lambda text: f'"{text}"'.replace("\n", "\\n").encode()
)
TEXTS = texts(TIMES | NAMES | KEYS | CONDITIONS)
ANY = ODD | TEXTS | st.binary(max_size=20) | REPORTS


def mostly(good: Mapping[str, bytes], odd: Mapping[str, st.SearchStrategy[bytes]]) -> st.SearchStrategy[bytes]:
    """What is right, but for up to two fields."""

    def drawn(names: list[str]) -> st.SearchStrategy[bytes]:
        given = st.fixed_dictionaries({name: odd[name] for name in names})
        return given.map(lambda fields: dict(good) | fields).map(
            lambda fields: b"{%s}" % b",".join(json_of(name) + b":" + value for name, value in fields.items())
        )

    return st.lists(st.sampled_from(sorted(odd)), max_size=2, unique=True).flatmap(drawn)


def listed(items: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    """JSON arrays of up to two."""
    return st.lists(items, max_size=2).map(lambda found: b"[%s]" % b",".join(found))


HERE = b'"http://127.0.0.1:1/x"'
TRIGGERS = listed(objects({"event": TEXTS, "expression": TEXTS}) | objects({"cron": TEXTS | ODD}) | ODD)
RUNTIME = objects({"runtime": mostly({"url": HERE}, {"type": ODD, "url": TEXTS | ODD}), "retries": ODD})
LIMITED = mostly({"limit": b"1", "period": b'"1m"'}, {"limit": ODD, "period": TEXTS, "key": TEXTS, "burst": ODD})
FUNCTIONS = mostly(
    {"id": b'"shop-pay"', "triggers": b'[{"event":"pay"}]', "steps": b'{"step":{"runtime":{"url":%s}}}' % HERE},
    {
        "id": TEXTS | ODD,
        "name": ODD | TEXTS,
        "triggers": TRIGGERS | ODD,
        "steps": ODD | objects({"step": RUNTIME | ODD}),
        **dict.fromkeys(("concurrency", "throttle", "rateLimit"), LIMITED | ODD),
        **dict.fromkeys(("cancel", "idempotency", "priority", "batchEvents", "debounce"), ODD | OPTIONS | TEXTS),
    },
)
URLS = st.sampled_from([b'"http://["', b'"http://a b/"', b'"http://\\u0000/"', b'"http://\\u2100/"'])
REGISTRATIONS = mostly(
    {"url": HERE, "appname": b'"shop"', "functions": b"[]"},
    {"url": URLS | ODD, "appname": ODD, "appVersion": ODD | TEXTS, "sdk": ODD, "functions": ODD | listed(FUNCTIONS)},
) | listed(FUNCTIONS).map(lambda found: b'{"url":%s,"appname":"shop","functions":%s}' % (HERE, found))
CHECKPOINTS = objects({"qi_id": TOKENS | ODD, "steps": ODD | REPORTS, "fn_id": ODD, "ts": ODD, "run_id": ODD})
STEPS = st.tuples(KEYS, ODD).map(
    lambda step: (
        b'{"qi_id":"{token}","steps":[{"op":"StepRun","id":"0","name":"%s","data":%s}]}'
        % (step[0].encode("unicode_escape").replace(b"\\x", b"\\u00"), step[1])
    )
)
CANCELLATIONS = mostly(
    {"app_id": b'"shop"'},
    {"app_id": ODD, **dict.fromkeys(("function_id", "started_after", "started_before", "if"), TEXTS | ODD)},
)
QUERIES = mostly(
    {"query": b'"run(runID: $r) runTrigger"', "variables": b'{"r":"{run}"}'},
    {
        "query": st.sampled_from(
            [
                b'"run(runID: $r) runTrigger"',
                b'"functionRuns eventId: \\"x\\""',
                b'"childrenSpans runID: \\"{run}\\""',
                b'"runTraceSpanOutputByID outputID: $r"',
            ]
        )
        | ODD,
        "variables": ODD | objects({"r": TEXTS | st.just(b'"{run}"') | ODD}),
    },
)
REQUESTS = st.one_of(
    st.tuples(st.just("POST"), st.just("/fn/register"), REGISTRATIONS | ANY),
    st.tuples(st.just("POST"), IDS.map("/v1/checkpoint/{}/async".format), STEPS | CHECKPOINTS | ANY),
    st.tuples(st.just("POST"), st.just(f"/v1/checkpoint/{RUN}/async"), STEPS | CHECKPOINTS | DEEP),
    st.tuples(st.just("POST"), st.just("/v1/cancellations"), CANCELLATIONS | ANY),
    st.tuples(st.just("POST"), st.just("/v0/gql"), QUERIES | ANY),
    st.tuples(
        st.just("POST"), IDS.map("/e/{}".format), objects({"name": TEXTS, "data": ODD, "ts": ODD, "id": ODD}) | ANY
    ),
    st.tuples(
        st.just("GET"),
        IDS.flatmap(
            lambda id: st.sampled_from(
                [
                    *(f"/v0/runs/{id}/batch", f"/v0/runs/{id}/actions", f"/v1/runs/{id}"),
                    *(f"/v1/events/{id}", f"/v1/events/{id}/runs", f"/v1/events?limit=1{id}"),
                    f"/v1/events?name={id}&cursor={id}&limit={id}&received_after={id}",
                    "/v1/events?received_after=0001-01-01&limit=5",
                ]
            )
        ),
        st.just(b""),
    ),
    st.tuples(st.just("DELETE"), IDS.map("/v1/runs/{}".format), st.just(b"")),
)
ODD_SEED = "9" * 30 + ",x"
SEEDS = st.sampled_from([{}, {"x-inngest-event-id-seed": "1,AAAAAAAAAAAAAA=="}, {"x-inngest-event-id-seed": ODD_SEED}])


async def answered(requests: list[tuple[str, str, bytes]], headers: dict[str, str]) -> None:
    async with memory_store() as store:
        desk = Desk.over(store)
        await desk.register(function("pay"))
        run = await desk.start("order.placed", {"id": 1})
        [lease] = await desk.lease("shop/pay")
        async with desk.client() as client:
            for method, path, content in requests:
                content = content.replace(b"{token}", right_of(lease.token, 0).encode()).replace(b"{run}", run.encode())
                answer = await client.request(method, path.replace(RUN, run), content=content, headers=headers)
                check(answer, f"{method} {path} {content[:300]!r}")


def check(answer: httpx2.Response, request: str) -> None:
    """What an answer has to be like."""
    if answer.status_code < 300:
        answer.json()
        return
    assert 400 <= answer.status_code <= 500, request
    if "application/json" in answer.headers["content-type"]:
        error = answer.json()["error"]
        text = error if isinstance(error, str) else error["message"]
        assert len(text) > 5, request
        assert "fault of Stepwell" not in text, request
        assert "Traceback" not in text, request
        assert answer.status_code < 500 or "limit" in text or "at most" in text or "a wait" in text, (request, text)


@settings(max_examples=60, derandomize=True)
@given(st.lists(REQUESTS, min_size=1, max_size=12), SEEDS)
def test_every_request_is_answered(requests: list[tuple[str, str, bytes]], headers: dict[str, str]) -> None:
    asyncio.run(answered(requests, headers))
