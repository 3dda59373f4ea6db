"""What README and docs say is so: their Python runs, their commands exist, their settings and links are right."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import orjson
import pytest
import typer

from stepwell.functions import App
from stepwell.platform.cli.commands import command_line
from stepwell.platform.settings import Settings
from stepwell.platform.testing import TestPlatform

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"(?:<!-- runs: (\S+) (.+) gives (.+) -->\n)?```python\n((?:(?!```).*\n)*)```")


@dataclass(frozen=True, slots=True)
class Example:
    """A block of Python; `event`, `data` and `output` are empty when it is not said what a run of it gives."""

    place: str
    event: str
    data: str
    output: str
    code: str


def examples() -> Iterator[Example]:
    for page in PAGES:
        text = page.read_text("utf-8")
        for found in BLOCK.finditer(text):
            line = text.count("\n", 0, found.start(4)) + 1
            yield Example(f"{page.relative_to(ROOT)}:{line}", *(group or "" for group in found.groups()))


EXAMPLES = list(examples())
RUNNING = [example for example in EXAMPLES if example.event]
TESTING = [example for example in EXAMPLES if "async def test_" in example.code]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.place)
def test_an_example_executes_as_it_stands(example: Example, monkeypatch: pytest.MonkeyPatch) -> None:
    has_app = isinstance(getattr(pasted(example, monkeypatch), "app", None), App)
    assert has_app == bool(example.event), "an app needs a line that says what a run of it gives"


@pytest.mark.parametrize("example", RUNNING, ids=lambda example: example.place)
async def test_a_run_of_an_example_gives_what_is_said(example: Example, monkeypatch: pytest.MonkeyPatch) -> None:
    app = pasted(example, monkeypatch).app
    async with TestPlatform(app) as platform:
        run = await platform.send_and_wait(example.event, orjson.loads(example.data))
        await platform.advance("365d")
        assert (await platform.run(run.id)).completed() == orjson.loads(example.output)


@pytest.mark.parametrize("example", TESTING, ids=lambda example: example.place)
async def test_the_tests_in_an_example_pass(example: Example, monkeypatch: pytest.MonkeyPatch) -> None:
    module = pasted(example, monkeypatch)
    for name in re.findall(r"^async def (test_\w+)", example.code, re.MULTILINE):
        await getattr(module, name)()


async def test_the_first_example_of_all_is_one_that_runs() -> None:
    assert RUNNING[0].place.startswith("README.md")
    assert 10 <= len(RUNNING[0].code.strip().splitlines()) <= 24


def pasted(example: Example, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A module of the example's code, found by its name as an imported one is."""
    module = ModuleType("pasted")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    exec(compile(example.code, example.place, "exec", dont_inherit=True), vars(module))
    return module


# What is said about commands, settings and other pages


def test_the_table_of_settings_is_that_of_the_settings() -> None:
    page = (ROOT / "docs" / "operating.md").read_text("utf-8")
    [shown] = re.findall(r"<!-- settings -->\n(.*)<!-- /settings -->", page, re.DOTALL)
    assert shown == settings_table(), f"it should be:\n{settings_table()}"


def settings_table() -> str:
    rows = [
        f"| `STEPWELL_{name.upper()}` | {default(field.default)} | {field.description} |"
        for name, field in Settings.model_fields.items()
    ]
    return "\n".join(["", "| variable | default | meaning |", "| --- | --- | --- |", *rows, "", ""])


def default(value: object) -> str:
    return "" if value is None or value == () else f"`{value}`"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)]+)\)", page.read_text("utf-8")):
        if re.match(r"https?:", target):
            continue
        path, _, anchor = target.partition("#")
        there = (page.parent / path).resolve() if path else page
        assert there.exists(), target
        assert not anchor or anchor in anchors(there), target


def anchors(page: Path) -> set[str]:
    """The fragments of a page's headings, as they are made on the usual sites."""
    headings = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def shell(word: str) -> set[str]:
    """What the pages do with a program: the rest of each line, or of each piece of code in a line, that calls it."""
    found: set[str] = set()
    for page in PAGES:
        text = page.read_text("utf-8")
        pieces = re.findall(r"`([^`\n]+)`", text)
        for block in re.findall(r"^```sh\n(.*?)^```", text, re.DOTALL | re.MULTILINE):
            pieces += [line.partition("  #")[0] for line in block.splitlines()]
        found |= {match[1].strip() for piece in pieces if (match := re.match(rf"(?:\.venv/bin/)?{word} (.+)", piece))}
    return found


def test_the_targets_of_make_exist() -> None:
    [targets] = re.findall(r"^\.PHONY: (.+)$", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    said = {words.split()[0] for words in shell("make") if "=" not in words.split()[0]}
    assert {"dev", "test"} <= said <= set(targets.split())


def test_the_commands_of_stepwell_exist_with_their_options() -> None:
    said = shell("stepwell")
    assert len(said) > 5
    for words in said:
        check_command(words)


def check_command(words: str) -> None:
    command: Any = typer.main.get_command(command_line())
    rest = words.split()
    while rest and hasattr(command, "commands"):
        name = rest.pop(0)
        assert name in command.commands, words
        command = command.commands[name]
    known = {option for parameter in command.params for option in parameter.opts}
    assert {word for word in rest if word.startswith("--")} <= known, words
