"""Who has the slots of a function's keys, and who waits for them."""

import asyncio
from dataclasses import dataclass

from stepwell.dashboard.queues.naming import held_of, is_full
from stepwell.dashboard.wording.moments import Moment, past
from stepwell.functions.protocol import FunctionManifest
from stepwell.platform.flow.constraint import Constraint
from stepwell.platform.flow.holding import Holding, KeyView
from stepwell.platform.snapshot import RegisteredFunction

LOOKED_AT = 100
"""Keys of each constraint: there is one for each user, or order."""
SHOWN, HOLDERS = 10, 3


@dataclass(frozen=True, slots=True)
class Held:
    """A run that has a slot."""

    run: str
    since: Moment


@dataclass(frozen=True, slots=True)
class Key:
    """One value of a key. `held` is how many of its slots are taken, `more` how many others have some."""

    id: str
    control: str
    expression: str
    value: str
    held: str
    full: bool
    holders: tuple[Held, ...]
    more: int
    waiting: str


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys of which most wait. `limited`: it has controls with slots; `cut`: not all keys were read."""

    limited: bool
    keys: tuple[Key, ...]
    cut: bool


async def keys_of(holding: Holding, function: RegisteredFunction, now: int) -> Keys:
    """Reads the first keys of each constraint, and picks those of which most wait."""
    constraints = [one for one in function.constraints if one.rule]
    found = await asyncio.gather(*[holding.keys(one.name, most=LOOKED_AT) for one in constraints])
    pairs = [(one, view) for one, views in zip(constraints, found, strict=True) for view in views]
    busiest = sorted(pairs, key=lambda pair: (-pair[1].waiting, -pair[1].held, pair[1].scope))
    names = names_of(function.manifest, function.app)
    keys = tuple(_key(names.get(one.name, one.name), one, view, now) for one, view in busiest[:SHOWN])
    return Keys(bool(constraints), keys, len(busiest) > SHOWN or any(len(views) == LOOKED_AT for views in found))


def names_of(manifest: FunctionManifest, app: str) -> dict[str, str]:
    """Name of a constraint -> what it is called in code."""
    named = {f"~{one.name}": one.name or "" for one in manifest.concurrency if one.scope == "environment"}
    named |= {f"{app}~{one.name}": one.name or "" for one in manifest.concurrency if one.scope == "app"}
    own = [f"{app}/{manifest.id}#{index}" for index in range(len(manifest.concurrency))]
    kinds = {f"{app}/{manifest.id}#{kind}": kind for kind in ("throttle", "singleton", "fairness")}
    return dict.fromkeys(own, "concurrency") | kinds | {name: f"concurrency {called}" for name, called in named.items()}


def _key(control: str, constraint: Constraint, view: KeyView, now: int) -> Key:
    holders = tuple(Held(one.run, past(one.since, now)) for one in view.holders[:HOLDERS])
    return Key(
        id=view.scope,
        control=control,
        expression=constraint.key or "",
        value=view.value,
        held=held_of(view),
        full=is_full(view),
        holders=holders,
        more=max(0, view.held - len(holders)),
        waiting=f"{view.waiting:,}+" if view.lanes > view.waiting else f"{view.waiting:,}",
    )
