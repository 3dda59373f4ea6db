"""What constraints and their keys are called."""

from stepwell.platform.flow.holding import Holder

NOBODY = ""


def constraint_name(constraint: str) -> str:
    """What a constraint is, in words; its id tells whose it is."""
    owner, mark, what = constraint.partition("#")
    if constraint == "pause":
        return "Pause"
    if mark:
        return f"{_kind(what)} of {owner}"
    app, _, name = constraint.partition("~")
    return f"Slots “{name}” of the app {app}" if app else f"Slots “{name}” of all apps"


def _kind(what: str) -> str:
    if what.isdigit():
        return "Slots" if what == "0" else f"Slots ({int(what) + 1})"
    return {"throttle": "Throttle", "moved": "Move", "fairness": "Fairness"}.get(what, what.capitalize())


def is_unused(holder: Holder, alive: frozenset[str]) -> bool:
    """Whether nobody executes the run that has a slot: its worker is gone, or it never had one."""
    return holder.session == NOBODY or holder.session not in alive
