"""Functions whose runs live elsewhere since a deploy: none begins there while older ones execute where they are."""

from collections.abc import Iterator, Mapping

EVERYWHERE = "*"
"""Where runs of functions live of which nothing is counted: each with its event."""
HELD = "throttle 60000.000000 0"
"""The rule that lets none begin; see `k_limits` in store/keys.py."""

Homes = tuple[str, ...]
"""What the homes are the hash of."""


def moves_of(before: Mapping[str, str], after: Mapping[str, str], unsettled: Mapping[str, Homes]) -> dict[str, Homes]:
    """Where runs of functions may be that have lived elsewhere.

    Args:
        before: what the home of each function was the hash of, or `EVERYWHERE`.
        after: what it is from now on, of functions whose runs may have to wait.
        unsettled: the moves that are not over.
    """
    moves = dict[str, Homes]()
    for function, home in after.items():
        left = {*unsettled.get(function, ()), before.get(function, home)} - {home}
        if left:
            moves[function] = tuple(sorted(left))
    return moves


def held(function: str, names: str) -> Iterator[tuple[str, str]]:
    """The limits of a function that has constraints of these names, while none of its runs may begin."""
    name = f"{function}#moved"
    yield function, f"{names} {name}"
    yield f"#{name}", HELD


def is_move(constraint: str) -> bool:
    """Whether it stands for a move."""
    return constraint.endswith("#moved")
