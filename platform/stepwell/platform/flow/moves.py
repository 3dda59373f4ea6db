"""Functions whose runs live elsewhere since a deploy: none begins there while older ones execute where they are.

A move is where runs of a function may be beside its home, oldest first. Those in the oldest home go on; in the others,
and in the one there is now, none begins. The oldest is forgotten when nothing of it is left, and so on.
"""

from collections.abc import Iterator, Mapping

from stepwell.platform.ids import home_of

EVERYWHERE = "*"
"""Where runs of functions live of which nothing is counted: each with its event."""
HELD = "throttle 60000.000000 0"
"""The rule that lets none begin; see `k_limits` in store/keys.py."""
MOVED = "#moved"

Homes = tuple[str, ...]
"""What the homes are the hash of."""


def moves_of(before: Mapping[str, str], after: Mapping[str, str], unsettled: Mapping[str, Homes]) -> dict[str, Homes]:
    """The moves there are after a deploy.

    Args:
        before: what the home of each function was the hash of, or `EVERYWHERE`.
        after: what it is from now on, of functions whose runs may have to wait.
        unsettled: the moves that are not over.
    """
    moves = dict[str, Homes]()
    for function, home in after.items():
        last = before.get(function, home)
        left = [*unsettled.get(function, ())]
        if last not in (home, *left):
            left.append(last)
        if set(left) - {home}:
            moves[function] = tuple(left)
    return moves


def partitions_with(home: str, partitions: int) -> set[int]:
    """Where runs of a home may be, of so many partitions."""
    return set(range(partitions)) if home == EVERYWHERE else {home_of(home, partitions)}


def held_in(move: Homes, home: str, partitions: int) -> set[int]:
    """The partitions, of so many, in which no run of a function begins that has its home in `home`."""
    oldest, *others = move
    held = {home_of(home, partitions)}.union(*[partitions_with(one, partitions) for one in others])
    return held if oldest in (home, EVERYWHERE) else held - partitions_with(oldest, partitions)


def held(function: str, names: str) -> Iterator[tuple[str, str]]:
    """The limits of a function that has constraints of these names, while none of its runs may begin."""
    name = f"{function}{MOVED}"
    yield function, f"{names} {name}"
    yield f"#{name}", HELD


def is_move(constraint: str) -> bool:
    """Whether it stands for a move."""
    return constraint.endswith(MOVED)
