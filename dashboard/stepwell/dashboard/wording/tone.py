"""States by name, picture and colour: never by colour alone."""

from dataclasses import dataclass

from stepwell.platform.records import Status, StepRow


@dataclass(frozen=True, slots=True)
class Tone:
    """How a state is shown: `name` picks its icon and colour, `label` says it."""

    name: str
    label: str


def of_run(status: Status, *, cancelling: bool = False) -> Tone:
    """The state of a run; `cancelling` when it was asked to end and has not yet."""
    if cancelling and not status.ended:
        return Tone("cancelled", "Cancelling")
    return Tone(status.value, status.value.capitalize())


def of_step(row: StepRow) -> Tone:
    """The state of a step."""
    match row.state:
        case "done":
            return Tone("completed", "Completed")
        case "failed":
            return Tone("failed", "Failed")
        case "retrying" if row.due:
            return Tone("retrying", "Retrying")
        case "retrying":
            return Tone("running", "Running again")
        case _:
            return Tone("waiting", "Waiting")
