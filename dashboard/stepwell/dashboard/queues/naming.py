"""What constraints and their keys are called, and how full these are."""

from stepwell.platform.flow.holding import Holder, KeyView

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


def held_of(key: KeyView) -> str:
    """How many slots of a key are taken, and of how many: "3 / 5", "3", or "–" when there is nothing to tell."""
    if key.limit is None:
        return f"{key.held:,}" if key.held else "–"
    return f"{key.held:,} / {key.limit:,}"


def is_full(key: KeyView) -> bool:
    """Whether no slot of a key is left."""
    return key.limit is not None and key.held >= key.limit


def is_unused(holder: Holder, alive: frozenset[str]) -> bool:
    """Whether nobody executes the run that has a slot: its worker is gone, or it never had one."""
    return holder.session == NOBODY or holder.session not in alive
