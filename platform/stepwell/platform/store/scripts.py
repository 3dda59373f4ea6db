"""Loads the Lua scripts: reads their headers, binds their inputs to names, pastes what they include.

A script is `lua/<verb>.lua`. Its first lines are headers:

    --! What it does, and what it answers.
    --! args: now session limit:int        the fixed arguments, each a local; `:int` binds a number
    --! item: rid token seq:int            the rest of the arguments, in rows of that width, read by `items()`
    --! include: clock run                 files of `lua/include/`, pasted once each, those they include first
    --! allow-oom                          may run when Redis is at its memory limit

Every script has one key, the hash tag of its partition, as `P`; the names of keys.py are locals as well.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, takewhile
from pathlib import Path
from types import MappingProxyType
from typing import Literal, TypeAlias

from stepwell.platform.errors import ScriptFault
from stepwell.platform.store.connection import Argument
from stepwell.platform.store.keys import KEY_NAMES

Flavour: TypeAlias = Literal["server", "memory"]
"""A real server, or fakeredis, which knows no `#!lua` line."""
Item: TypeAlias = Sequence[Argument]

LUA = Path(__file__).parent / "lua"
NAME = re.compile(r"[a-z_][a-z0-9_]*")
RESERVED = frozenset(
    [
        *("and", "break", "do", "else", "elseif", "end", "false", "for", "function", "if", "in"),
        *("local", "nil", "not", "or", "repeat", "return", "then", "true", "until", "while"),
    ]
)


@dataclass(frozen=True, slots=True)
class Input:
    """One input of a script: its name, and whether it is bound as a number."""

    name: str
    number: bool

    def bind(self, position: str) -> str:
        """Lua for the value at a position of ARGV."""
        return f"tonumber(ARGV[{position}])" if self.number else f"ARGV[{position}]"


@dataclass(slots=True)
class Source:
    """One file, headers apart from the body."""

    name: str
    summary: str = ""
    args: tuple[Input, ...] = ()
    item: tuple[Input, ...] = ()
    include: tuple[str, ...] = ()
    allow_oom: bool = False
    seen: set[str] = field(default_factory=set[str])
    body: str = ""


@dataclass(frozen=True, slots=True)
class Script:
    """A script ready to be called.

    Args:
        name: the verb.
        summary: what it does, and what it answers.
        args: the fixed arguments.
        item: the columns of an item; empty when it takes none.
        text: Lua as sent to Redis.
        sha: what EVALSHA calls it by.
    """

    name: str
    summary: str
    args: tuple[Input, ...]
    item: tuple[Input, ...]
    text: bytes
    sha: str

    def arguments(self, fixed: Sequence[Argument], items: Sequence[Item]) -> Iterator[Argument]:
        """All arguments in the order of ARGV. Raises `ScriptFault` when their number is not what the headers say."""
        if len(fixed) != len(self.args):
            raise ScriptFault(self.name, f"takes {spell(self.args)}, and was given {len(fixed)} values")
        width = len(self.item)
        for row in items:
            if len(row) != width:
                raise ScriptFault(self.name, f"takes items of {spell(self.item)}, and was given one of {len(row)}")
        return chain(fixed, chain.from_iterable(items))


class Scripts(Mapping[str, Script]):
    """Every script by its name, for one flavour of server."""

    def __init__(self, scripts: Mapping[str, Script]) -> None:
        self._scripts = MappingProxyType(dict(scripts))

    @classmethod
    def load(cls, flavour: Flavour, folder: Path = LUA) -> "Scripts":
        """Reads every `.lua` file of the folder. Raises `ScriptFault` for one whose headers are wrong."""
        includes = {path.stem: read(path) for path in sorted((folder / "include").glob("*.lua"))}
        sources = [read(path) for path in sorted(folder.glob("*.lua"))]
        return cls({source.name: assemble(source, includes, flavour) for source in sources})

    def __getitem__(self, name: str) -> Script:
        return self._scripts[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._scripts)

    def __len__(self) -> int:
        return len(self._scripts)


def read(path: Path) -> Source:
    """Parses the headers of a file: they end at the first line that is not one."""
    source = Source(path.stem)
    included = path.parent.name == "include"
    lines = path.read_text(encoding="utf-8").splitlines()
    headers = list(takewhile(is_header, lines))
    for number, line in enumerate(headers, 1):
        parse(source, line.removeprefix("--!").strip(), number, included=included)
    if not source.summary and not included:
        raise ScriptFault(source.name, "its first line has to be `--! <what it does>`")
    body = lines[len(headers) :]
    if any(map(is_header, body)):
        raise ScriptFault(source.name, "has a header below its first line of Lua; move it to the top")
    source.body = "\n".join(body)
    return source


def is_header(line: str) -> bool:
    """Whether a line is for the loader."""
    return line.startswith("--!")


def parse(source: Source, text: str, number: int, *, included: bool) -> None:
    """Takes one header line into the source."""
    if number == 1 and not included:
        source.summary = text
        return
    word, _, rest = (part.strip() for part in text.partition(":"))
    if word in source.seen:
        raise ScriptFault(source.name, f"has two `{word}` headers")
    source.seen.add(word)
    match word:
        case "args" | "item" | "allow-oom" if included:
            raise ScriptFault(source.name, f"is included, so it cannot have the header `{word}`")
        case "args":
            source.args = inputs(source.name, rest)
        case "item":
            source.item = inputs(source.name, rest)
        case "include":
            source.include = tuple(rest.split())
        case "allow-oom" if not rest:
            source.allow_oom = True
        case _:
            raise ScriptFault(source.name, f"`--! {text}` is no header; there are args, item, include and allow-oom")


def inputs(script: str, text: str) -> tuple[Input, ...]:
    """Parses `name name:int …`."""
    found: list[Input] = []
    for word in text.split():
        name, colon, kind = word.partition(":")
        if not NAME.fullmatch(name) or (colon and kind != "int"):
            raise ScriptFault(script, f"`{word}` is no input; write `name` or `name:int`")
        found.append(Input(name, bool(colon)))
    if not found:
        raise ScriptFault(script, "has an args or item header without names")
    if len({given.name for given in found}) < len(found):
        raise ScriptFault(script, f"names an input twice: {text}")
    return tuple(found)


def assemble(source: Source, includes: Mapping[str, Source], flavour: Flavour) -> Script:
    """Puts preamble, includes and body together."""
    for given in source.args:
        if given.name in RESERVED or given.name in KEY_NAMES:
            raise ScriptFault(source.name, f"`{given.name}` has a meaning of its own in scripts; give another name")
    bodies = "\n".join([*(part.body for part in ordered(source, includes)), source.body])
    parts = [shebang(source, flavour), preamble(source, bodies), bodies]
    text = "\n".join(part for part in parts if part).encode()
    sha = hashlib.sha1(text, usedforsecurity=False).hexdigest()
    return Script(source.name, source.summary, source.args, source.item, text, sha)


def ordered(source: Source, includes: Mapping[str, Source]) -> list[Source]:
    """What a source includes, directly or not: each once, after what it needs itself."""
    done: dict[str, Source] = {}

    def visit(name: str, path: tuple[str, ...]) -> None:
        if name in path:
            raise ScriptFault(source.name, f"includes go in a circle: {' -> '.join([*path, name])}")
        if name in done:
            return
        if name not in includes:
            raise ScriptFault(source.name, f"{path[-1]} includes `{name}`, which is not in lua/include")
        for needed in includes[name].include:
            visit(needed, (*path, name))
        done[name] = includes[name]

    for name in source.include:
        visit(name, (source.name,))
    return list(done.values())


def shebang(source: Source, flavour: Flavour) -> str:
    """The line that makes a real server check memory and slots before the script starts."""
    if flavour == "memory":
        return ""
    return "#!lua flags=allow-oom" if source.allow_oom else "#!lua"


def preamble(source: Source, bodies: str) -> str:
    """Lua that binds the key, the fixed arguments, the items and the names of keys."""
    lines = ["local P = KEYS[1]"]
    if source.args:
        values = ", ".join(given.bind(str(index)) for index, given in enumerate(source.args, 1))
        lines.append(f"local {', '.join(given.name for given in source.args)} = {values}")
    if source.item:
        lines += item_functions(len(source.args), source.item)
    # A name costs a concatenation per call, so only those in use are bound.
    used = set(re.findall(r"\bk_\w+", bodies))
    lines += [f"local {name} = P .. '{suffix}'" for name, suffix in KEY_NAMES.items() if name in used]
    return "\n".join(lines)


def item_functions(skip: int, item: tuple[Input, ...]) -> list[str]:
    """Lua functions that walk and count the rows behind the first `skip` arguments."""
    width = len(item)
    values = [given.bind(f"at + {index}" if index else "at") for index, given in enumerate(item)]
    if item[0].number:
        # A nil in the first column would end the loop as if there were no more rows.
        values[0] = f"({values[0]} or error('{item[0].name} is not a number'))"
    return [
        f"local function item_count() return (#ARGV - {skip}) / {width} end",
        "local function items()",
        f"  local at, last = {skip + 1 - width}, #ARGV",
        "  return function()",
        f"    at = at + {width}",
        f"    if at <= last then return {', '.join(values)} end",
        "  end",
        "end",
    ]


def spell(expected: Sequence[Input]) -> str:
    """The inputs of a script, for a message."""
    return f"{len(expected)} values ({' '.join(given.name for given in expected)})" if expected else "no values"
