"""`stepwell runs rerun`, `retry`, `wake` and `resolve`: steering runs by hand."""

from typing import Annotated, Any

import typer
from pydantic import TypeAdapter
from ulid import ULID

from stepwell.client import Run
from stepwell.client.reading import read
from stepwell.platform.cli.api import Url, post, run_path
from stepwell.platform.cli.console import AsJson, say, say_json
from stepwell.platform.cli.values import given_json

RUN = TypeAdapter(Run)

Id = Annotated[str, typer.Argument(metavar="RUN", help="Id of the run.")]
Step = Annotated[str, typer.Argument(metavar="STEP", help="Key of the step.")]


def rerun(
    id: Id,
    data: Annotated[
        str | None,
        typer.Option("--input", help="Other data for its event, a JSON object; - reads it from standard input."),
    ] = None,
    from_step: Annotated[
        str | None, typer.Option(help="Key of a step; what was done before it is kept, and not done again.")
    ] = None,
    output: Annotated[str | None, typer.Option(help="Output of that step, JSON; it is kept as well.")] = None,
    url: Url = None,
    json: AsJson = False,
) -> None:
    """Do a run again, in a new run."""
    body: dict[str, Any] = {"request": str(ULID()), "from_step": from_step}
    if data is not None:
        body["input"] = given_json("--input", data)
    if output is not None:
        body["output"] = given_json("--output", output)
    answer = post(url, f"{run_path(id)}/rerun", body)
    if json:
        say_json(answer["data"])
    else:
        run = read(RUN, answer, id)
        say(f"{run.id} does {id} again; `stepwell runs watch {run.id}` follows it")


def retry(
    id: Id,
    step: Annotated[str | None, typer.Option(help="Key of a step that has failed; by default the function.")] = None,
    url: Url = None,
    json: AsJson = False,
) -> None:
    """Try a step that has failed again now, or the function."""
    _steer(url, id, "retry", {"step": step}, json=json, done=f"{step or 'the function'} is tried again")


def wake(id: Id, step: Step, url: Url = None, json: AsJson = False) -> None:
    """End a sleep, or another wait, as if its time were over."""
    _steer(url, id, "wake", {"step": step}, json=json, done=f"{step} is awake")


def resolve(
    id: Id,
    step: Step,
    outcome: Annotated[
        str,
        typer.Argument(
            metavar="JSON",
            help="Its output: an event for a wait for events, any value for an invoke; - reads it from standard input.",
        ),
    ],
    failed: Annotated[bool, typer.Option("--failed", help="The JSON is an error, with type and message.")] = False,
    url: Url = None,
    json: AsJson = False,
) -> None:
    """Give a step that waits for events, or for an invoked run, its outcome."""
    body = {"step": step, "error" if failed else "output": given_json("the outcome", outcome)}
    _steer(url, id, "resolve", body, json=json, done=f"{step} is resolved")


def _steer(url: str | None, id: str, verb: str, body: dict[str, Any], *, json: bool, done: str) -> None:
    answer = post(url, f"{run_path(id)}/{verb}", body)
    if json:
        say_json(answer["data"])
    else:
        say(f"{done}; the run is {read(RUN, answer, id).status}")
