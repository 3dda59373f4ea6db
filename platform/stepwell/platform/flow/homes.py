"""Where the runs of functions live that share what is counted: together."""

from collections.abc import Iterable, Mapping

from stepwell.platform.flow.constraint import Constraint


def homes_of(functions: Mapping[str, Iterable[Constraint]]) -> dict[str, str]:
    """What the home of each function is the hash of: its name, or the first of what it shares with others, however far.

    Functions, and the constraints that they share, are the nodes of a graph; those of a component live together.
    """
    groups: dict[str, set[str]] = {}
    for function, constraints in functions.items():
        shared = {constraint.name for constraint in constraints if constraint.shared}
        if shared:
            united = shared.union(*[groups.get(name, ()) for name in shared])
            groups.update(dict.fromkeys(united, united))
            groups[function] = united
    return {function: min(_final(groups, function), default=function) for function in functions}


def _final(groups: Mapping[str, set[str]], function: str) -> set[str]:
    """The group of a function, which may have grown since by way of what is in it."""
    return groups[next(iter(groups[function]))] if function in groups else set()
