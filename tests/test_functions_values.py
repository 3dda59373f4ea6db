"""Values that go through steps: what comes back is what the annotation says, on the first run as on every replay."""

import functools
import math
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any

import orjson
import pytest
from pydantic import BaseModel, Field, computed_field
from typing_extensions import TypedDict

from stepwell.functions import App, Context, First, ReceivedEvent, StepFailed
from stepwell.functions.replay import Completed, Failed
from tests.functions_journal import Driver


class Order(BaseModel):
    id: str
    total: Decimal
    placed_at: datetime = Field(alias="placedAt")

    @computed_field  # type: ignore[prop-decorator]
    @property
    def gross(self) -> Decimal:
        return self.total * 2


class Special(Order):
    extra: str


class Color(Enum):
    RED = "red"


class Row(TypedDict):
    at: date


@dataclass
class Parcel:
    id: uuid.UUID
    took: timedelta
    lines: list[tuple[str, int]]


ORDER = Order(id="1", total=Decimal("9.90"), placedAt=datetime(2024, 1, 1, tzinfo=UTC))
PARCEL = Parcel(uuid.UUID(int=7), timedelta(hours=2), [("a", 1)])


def order() -> Order:
    return ORDER


def parcel() -> Parcel:
    return PARCEL


def row() -> Row:
    return {"at": date(2024, 2, 29)}


def blob() -> bytes:
    return b"\xff\x00"


def orders() -> dict[str, Order]:
    return {"a": ORDER}


def color() -> Color:
    return Color.RED


def maybe() -> Decimal | None:
    return Decimal("0.10")


class Service:
    def method(self) -> Parcel:
        return PARCEL

    def __call__(self) -> Order:
        return ORDER


def two(first: int, second: int) -> Decimal:
    return Decimal(first) / second


async def lease(body: Callable[[], Any]) -> tuple[Any, Any, str]:
    """What the step gives at first, at a replay, and the error if the run fails."""
    seen: list[Any] = []

    async def handler(ctx: Context) -> None:
        seen.append(await ctx.step.options(retries=0).run("step", body))
        await ctx.step.sleep("rest", "1m")

    d = Driver(App("shop").function(on="a")(handler))
    ending = await d.to_end()
    if isinstance(ending, Failed):
        return None, None, orjson.loads(ending.error)["message"]
    return seen[0], seen[-1], ""


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (order, ORDER),
        (parcel, PARCEL),
        (row, {"at": date(2024, 2, 29)}),
        (blob, b"\xff\x00"),
        (orders, {"a": ORDER}),
        (color, Color.RED),
        (maybe, Decimal("0.10")),
        (Service().method, PARCEL),
        (Service(), ORDER),
        (functools.partial(two, 1, second=8), Decimal("0.125")),
        (lambda: (1, [True, None], {"a": 0.5}), [1, [True, None], {"a": 0.5}]),
        (lambda: None, None),
        (functools.partial(max, 1, 2), 2),
    ],
)
async def test_what_comes_back(body: Callable[[], Any], value: Any) -> None:
    first, replayed, error = await lease(body)
    assert error == ""
    assert first == replayed == value
    assert type(first) is type(replayed) is type(value)


async def test_a_child_of_the_annotated_model_is_the_annotated_one_from_the_start() -> None:
    def special() -> Order:
        return Special(id="1", total=Decimal(1), placedAt=datetime(2024, 1, 1, tzinfo=UTC), extra="x")

    first, replayed, _ = await lease(special)
    assert type(first) is type(replayed) is Order


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (lambda: {"at": [uuid.UUID(int=1)]}, "it['at'][0] is UUID"),
        (lambda: {"price": math.nan}, "it['price'] is nan"),
        (lambda: Color.RED, "Color.RED"),
        (lambda: datetime(2024, 1, 1, tzinfo=UTC), "datetime"),
        (lambda: PARCEL, "Parcel"),
        (lambda: {1: 2}, "Dict key must be str"),
        (lambda: 2**70, "64-bit"),
        (object, "object"),
    ],
)
async def test_what_cannot_be_recorded_is_a_clear_error(body: Callable[[], Any], says: str) -> None:
    _, _, error = await lease(body)
    assert "shop/handler: step 'step' returned a" in error
    assert says in error
    assert "return annotation" in error


def annotated(annotation: Any, value: Any) -> Callable[[], Any]:
    def body() -> Any:
        return value

    body.__annotations__["return"] = annotation
    return body


@pytest.mark.parametrize(
    ("annotation", "value", "says"),
    [
        (int, "seven", "returned 'seven' (a str), and"),
        ("int", "seven", "'seven' (a str), and"),
        (int | None, "seven", "'seven' (a str), and"),
        (Order, None, "returned None, and"),
        (Order, {"id": "1"}, "{'id': '1'} (a dict), in which total: Field required"),
        (list[int], [1, "two"], "[1, 'two'] (a list), in which 1: Input should be"),
        (Annotated[int, Field(gt=3)], 1, "1 (an int), and"),
    ],
)
async def test_a_value_that_is_not_what_its_annotation_says_names_both(annotation: Any, value: Any, says: str) -> None:
    _, _, error = await lease(annotated(annotation, value))
    assert "shop/handler: step 'step' returned " in error
    assert says in error
    shown = {int: "int", Order: "Order"}.get(annotation, str(annotation).removeprefix("typing."))
    assert f"body is annotated to return {shown}: change one of the two" in error
    assert "plain JSON" not in error


@pytest.mark.parametrize(("annotation", "value"), [(float, math.nan), (dict[str, Any], {"a": object()})])
async def test_a_value_that_is_what_its_annotation_says_and_no_json_is_said_to_be_that(
    annotation: Any, value: Any
) -> None:
    _, _, error = await lease(annotated(annotation, value))
    assert "that cannot be recorded: " in error


async def test_a_handler_that_returns_something_else_than_it_says() -> None:
    async def handler(ctx: Context) -> int:
        return "seven"  # type: ignore[return-value]  # pyright: ignore[reportReturnType]

    ending = await Driver(App("shop").function(on="a")(handler)).to_end()
    assert isinstance(ending, Failed)
    assert orjson.loads(ending.error)["message"] == (
        "shop/handler returned 'seven' (a str), and its handler is annotated to return int: change one of the two"
    )


async def test_an_annotation_pydantic_cannot_write_is_a_clear_error() -> None:
    class Opaque:
        pass

    def opaque() -> Opaque:
        return Opaque()

    _, _, error = await lease(opaque)
    assert "opaque is annotated to return" in error


async def test_a_closure_may_name_another_class_each_time() -> None:
    def make(kind: type[BaseModel]) -> Callable[[], Any]:
        def body() -> Any:
            return kind(x=1)

        body.__annotations__["return"] = kind
        return body

    class One(BaseModel):
        x: int

    class Two(BaseModel):
        x: int

    async def handler(ctx: Context) -> list[str]:
        values = [await ctx.step.run("step", make(kind)) for kind in (One, Two, One)]
        return [type(value).__name__ for value in values]

    ending = await Driver(App("shop").function(on="a")(handler)).to_end()
    assert isinstance(ending, Completed)
    assert orjson.loads(ending.output) == ["One", "Two", "One"]


async def test_a_record_that_is_not_what_the_code_wants_any_more_is_a_clear_error() -> None:
    async def before(ctx: Context) -> None:
        await ctx.step.run("step", lambda: "text")
        await ctx.step.sleep("rest", "1m")

    async def after(ctx: Context) -> None:
        await ctx.step.run("step", two, 1, 2)

    d = Driver(App("shop").function(on="a")(before))
    await d.lease()
    d.function = App("shop").function(on="a")(after)
    ending = await d.to_end()
    assert isinstance(ending, Failed)
    assert "what step 'step' has recorded is not what two is annotated to return" in ending.error.decode()


async def test_an_output_over_the_limit_names_limit_size_and_setting() -> None:
    _, _, error = await lease(lambda: "x" * (4 * 1024 * 1024))
    assert "step 'step' gave 4,194,306 bytes" in error
    assert "at most 4,194,304 (setting STEPWELL_MAX_OUTPUT_BYTES)" in error


async def test_what_the_handler_returns_is_written_by_its_annotation() -> None:
    async def typed(ctx: Context) -> Order:
        return ORDER

    async def untyped(ctx: Context):  # type: ignore[no-untyped-def]
        return ORDER

    ending = await Driver(App("shop").function(on="a")(typed)).to_end()
    assert isinstance(ending, Completed)
    assert orjson.loads(ending.output) == {"id": "1", "total": "9.90", "placedAt": "2024-01-01T00:00:00Z"}
    ending = await Driver(App("shop").function(on="a")(untyped)).to_end()
    assert isinstance(ending, Failed)
    assert "shop/untyped returned an Order that cannot be recorded" in orjson.loads(ending.error)["message"]


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (ReceivedEvent("e", "said", {}, 1), "a ReceivedEvent, which is no JSON value: return its `.data`"),
        (First("late", None), "a First, which is no JSON value: return its `.name`, or `.event.data`"),
    ],
)
async def test_what_a_wait_gives_is_not_returned_as_a_whole(value: object, says: str) -> None:
    async def handler(ctx: Context) -> Any:
        return value

    ending = await Driver(App("shop").function(on="a")(handler)).to_end()
    assert isinstance(ending, Failed)
    assert says in orjson.loads(ending.error)["message"]


async def test_data_is_validated_by_the_annotation_of_the_context() -> None:
    async def handler(ctx: Context[Order]) -> str:
        return f"{type(ctx.data).__name__} {ctx.data.gross} {ctx.event.data['id']} {ctx.event.name} {len(ctx.events)}"

    function = App("shop").function(on="a")(handler)
    data = {"id": "1", "total": "9.90", "placedAt": "2024-01-01T00:00:00Z"}
    ending = await Driver(function, data).to_end()
    assert isinstance(ending, Completed)
    assert orjson.loads(ending.output) == "Order 19.80 1 order.placed 1"
    ending = await Driver(function, data | {"total": "a lot"}).to_end()
    assert isinstance(ending, Failed)
    assert "total: Input should be a valid decimal (got 'a lot')" in orjson.loads(ending.error)["message"]


async def test_the_context_names_the_run_and_the_step() -> None:
    logged: list[Any] = []

    async def handler(ctx: Context) -> list[str]:
        async def inside() -> str:
            return ctx.idempotency_key

        logged.append(ctx.log.extra)
        return [ctx.run_id, ctx.idempotency_key, *[await ctx.step.run("charge", inside) for _ in range(2)]]

    ending = await Driver(App("shop").function(on="a")(handler)).to_end()
    assert isinstance(ending, Completed)
    assert orjson.loads(ending.output) == ["run-1", "run-1", "run-1/charge", "run-1/charge:1"]
    assert logged[0] == {"run": "run-1", "function": "shop/handler"}


async def test_a_failed_step_is_the_same_error_at_first_and_at_replay() -> None:
    class Odd(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    seen: list[tuple[Any, ...]] = []

    def body() -> None:
        raise Odd

    async def handler(ctx: Context) -> None:
        try:
            await ctx.step.options(retries=0).run("odd", body)
        except StepFailed as error:
            seen.append(error.args)
        await ctx.step.sleep("rest", "1m")

    await Driver(App("shop").function(on="a")(handler)).to_end()
    assert seen == [("odd", "Odd", "(its text cannot be read: RuntimeError)", 1)] * 2


async def test_an_error_out_of_a_file_whose_name_is_no_text_is_recorded() -> None:
    body: dict[str, Any] = {}
    exec(compile("def body(): raise OSError('away')", "fi\udce4le.py", "exec"), body)

    async def handler(ctx: Context) -> None:
        await ctx.step.options(retries=0).run("odd", body["body"])

    ending = await Driver(App("shop").function(on="a", retries=0)(handler)).to_end()
    assert isinstance(ending, Failed)
    assert "away" in orjson.loads(ending.error)["message"]
