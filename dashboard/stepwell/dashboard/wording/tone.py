"""States by name, picture and colour: never by colour alone."""

from dataclasses import dataclass

from stepwell.platform.records import RunRecord, Status, StepRow


@dataclass(frozen=True, slots=True)
class Tone:
    """How a state is shown: `name` picks its icon and colour, `label` says it."""

    name: str
    label: str


def of_status(status: Status) -> Tone:
    """A state that runs have."""
    return Tone(status.value, status.value.capitalize())


def of_run(run: RunRecord) -> Tone:
    """The state of a run, also that it was asked to end and has not yet."""
    cancelling = run.cancel > 0 and not run.status.ended
    return Tone("cancelled", "Cancelling") if cancelling else of_status(run.status)


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
