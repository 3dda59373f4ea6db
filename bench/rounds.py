"""Repeating a workload, with the CPU time of all rounds together."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from bench.cpu import Cpu
from bench.stack import Stack


@dataclass(frozen=True, slots=True)
class Rounds:
    """What each round gave, and what a round used of the CPU, in seconds."""

    values: tuple[float, ...]
    cpu: Cpu


async def rounds(stack: Stack, count: int, once: Callable[[], Awaitable[float]]) -> Rounds:
    """Runs `once` to warm up, then `count` times."""
    await once()
    before = stack.cpu
    values = [await once() for _ in range(count)]
    return Rounds(tuple(values), (stack.cpu - before).per(1e6 * count))
