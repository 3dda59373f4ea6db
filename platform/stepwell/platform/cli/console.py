"""What commands print: facts in columns, and JSON."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer

from stepwell.platform.codec import encode

MISUSE = 2
"""Exit code of a command that was used wrongly, or could not begin."""

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]

COLOURS = {
    "completed": typer.colors.GREEN,
    "failed": typer.colors.RED,
    "running": typer.colors.BLUE,
    "waiting": typer.colors.YELLOW,
    "retrying": typer.colors.YELLOW,
}


class Misuse(Exception):
    """What the caller did wrong, in one line that says the mend."""


def say(text: str = "") -> None:
    """Prints a line."""
    typer.echo(text)


def complain(text: str) -> None:
    """Prints a line for the person, not for what reads the output."""
    typer.echo(text, err=True)


def say_json(value: Any) -> None:
    """Prints a value as one line of JSON."""
    typer.echo(encode(value))


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Prints rows in aligned columns under their names; a status is coloured, and always a word, too."""
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    say(typer.style(_line(head, widths), dim=True))
    for row in rows:
        say(_line(row, widths))


def listing(head: Sequence[str], rows: Sequence[Sequence[str]], none: str, following: str | None) -> None:
    """Prints a page of a list.

    Args:
        head: names of the columns.
        rows: may be empty.
        none: what to say then.
        following: cursor of the next page, `None` on the last.
    """
    if rows:
        table(head, rows)
    else:
        say(none)
    if following:
        say(f"more: --cursor {following}")


def say_searched(answer: Mapping[str, Any]) -> None:
    """Prints how far an expression was looked for; a page that was searched in part says so even when it is empty."""
    missed = answer["undecided"]
    undecided = f"; {missed:,} of them need too many steps for this expression, and are left out" if missed else ""
    complain(f"searched {answer['searched']:,} of {answer['total']:,}{undecided}")


def facts(pairs: Sequence[tuple[str, str]]) -> None:
    """Prints names and values, the values aligned."""
    width = max(len(name) for name, _ in pairs)
    for name, value in pairs:
        say(f"  {typer.style(name.ljust(width), dim=True)}  {paint(value)}")


def paint(cell: str) -> str:
    """A status in its colour; anything else as it is."""
    colour = COLOURS.get(cell.strip())
    return typer.style(cell, fg=colour) if colour else cell


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(paint(cell.ljust(width)) for cell, width in zip(cells, widths, strict=True)).rstrip()
