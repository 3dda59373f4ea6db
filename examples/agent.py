"""An agent: a model plans, a tool is used, the model plans again, until it is done or its budget is spent.

    stepwell dev examples/agent.py
    stepwell send question.asked '{"question": "What do 3 teapots cost?", "budget": 500}'

Every call of the model and of a tool is a step: killed at any moment, the agent goes on where it was and pays for no
call twice. The model here is a fake that plays a fixed part; put a call of a real one into `think`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from stepwell.functions import App, Context, NonRetriable

app = App("agent")

MOST_TURNS = 8
PRICES = {"teapot": 24.9, "cup": 3.5}


@dataclass(frozen=True)
class Thought:
    """What the model answers: the tool it wants with its arguments, or its answer; and the tokens it has used."""

    tokens: int
    tool: str = ""
    arguments: tuple[Any, ...] = ()
    answer: str = ""


class OverBudget(NonRetriable):
    """The model has used more tokens than it may."""


async def think(question: str, seen: list[Any]) -> Thought:
    """Asks the model what to do next, given what the tools have said so far."""
    if not seen:
        return Thought(120, "price", ("teapot",))
    if len(seen) == 1:
        return Thought(140, "multiply", (seen[0], 3))
    return Thought(90, answer=f"{question} {seen[-1]:.2f} EUR.")


def price(thing: str) -> float:
    """A tool: what something costs."""
    return PRICES[thing]


def multiply(one: float, other: float) -> float:
    """A tool: multiplies."""
    return one * other


TOOLS: dict[str, Callable[..., float]] = {"price": price, "multiply": multiply}


@app.function(on="question.asked", retries=3)
async def answer(ctx: Context) -> dict[str, Any]:
    """Plans, uses a tool, plans again."""
    seen: list[Any] = []
    spent = 0
    for turn in range(MOST_TURNS):
        thought = await ctx.step.run(f"think-{turn}", think, ctx.data["question"], seen)
        spent += thought.tokens
        if spent > ctx.data["budget"]:
            raise OverBudget(f"{spent} tokens are more than the {ctx.data['budget']} it may use")
        if not thought.tool:
            return {"answer": thought.answer, "tokens": spent, "turns": turn + 1}
        seen.append(await ctx.step.run(f"{thought.tool}-{turn}", TOOLS[thought.tool], *thought.arguments))
    raise NonRetriable(f"no answer after {MOST_TURNS} turns")
