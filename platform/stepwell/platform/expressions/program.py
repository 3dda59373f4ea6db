"""A pattern as a program: characters one after the other, and forks between them."""

from dataclasses import dataclass
from typing import TypeAlias

from stepwell.platform.expressions.pattern import (
    Characters,
    Edge,
    Either,
    Other,
    Pattern,
    PatternError,
    Repeat,
    Sequence,
)

MAX_PROGRAM = 1_000
"""Instructions of a program. Counted repetitions are written out."""


@dataclass(frozen=True, slots=True)
class Fork:
    """Goes on at all `targets`."""

    targets: tuple[int, ...]


Instruction: TypeAlias = Characters | Other | Edge | Fork
"""One place of a program; behind the last one is where it has been found."""


def program_of(pattern: Pattern) -> tuple[Instruction, ...]:
    """The program that finds a pattern. Raises `PatternError` when it becomes too large."""
    program: list[Instruction] = []
    _write(pattern, program)
    return tuple(program)


def _write(pattern: Pattern, program: list[Instruction]) -> None:
    if len(program) >= MAX_PROGRAM:
        raise PatternError(f"the pattern is too large: with repetitions written out, more than {MAX_PROGRAM:,} parts")
    if isinstance(pattern, Sequence):
        for part in pattern.parts:
            _write(part, program)
    elif isinstance(pattern, Either):
        _write_either(pattern.options, program)
    elif isinstance(pattern, Repeat):
        _write_repeat(pattern, program)
    else:
        program.append(pattern)


def _write_either(options: tuple[Pattern, ...], program: list[Instruction]) -> None:
    entry = _reserve(program)
    starts: list[int] = []
    exits: list[int] = []
    for option in options:
        starts.append(len(program))
        _write(option, program)
        exits.append(_reserve(program))
    program[entry] = Fork(tuple(starts))
    for place in exits:
        program[place] = Fork((len(program),))


def _write_repeat(repeat: Repeat, program: list[Instruction]) -> None:
    for _ in range(repeat.least):
        before = len(program)
        _write(repeat.part, program)
        if len(program) == before:
            # Nothing, however often. Nested, it would take as long to write as if it were something.
            return
    if repeat.most is None:
        _write_loop(repeat.part, program)
        return
    exits: list[int] = []
    for _ in range(repeat.most - repeat.least):
        exits.append(_reserve(program))
        _write(repeat.part, program)
    for place in exits:
        program[place] = Fork((place + 1, len(program)))


def _write_loop(part: Pattern, program: list[Instruction]) -> None:
    entry = _reserve(program)
    _write(part, program)
    program.append(Fork((entry,)))
    program[entry] = Fork((entry + 1, len(program)))


def _reserve(program: list[Instruction]) -> int:
    program.append(Fork(()))
    return len(program) - 1
