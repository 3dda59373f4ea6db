"""The shape of the house: four source roots, one namespace, one-way arrows, and a wheel that holds all of it."""

from __future__ import annotations

import ast
import importlib
import inspect
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[1]

# Each part may import itself and the parts before it.
PARTS = ["client", "functions", "platform", "dashboard"]

# What each part offers; a name that comes or goes is a change that users notice.
PUBLIC = {
    "client": [
        "BulkJob",
        "BulkPreview",
        "BulkRefusal",
        "Busy",
        "Cause",
        "Client",
        "ClientError",
        "ErrorGroup",
        "Event",
        "Failure",
        "Faulty",
        "History",
        "HistoryEntry",
        "LogLine",
        "NotFound",
        "Page",
        "Progress",
        "Refused",
        "Retry",
        "Run",
        "RunStatus",
        "Step",
        "StoredEvent",
        "TooLarge",
        "Try",
        "Unauthorized",
        "Unexpected",
        "Unreachable",
    ],
}


def allowed(part: str) -> list[str]:
    return PARTS[: PARTS.index(part) + 1]


def files(part: str) -> list[Path]:
    return sorted(path for path in (ROOT / part).rglob("*") if path.is_file() and "__pycache__" not in path.parts)


def modules(part: str) -> list[Path]:
    return [path for path in files(part) if path.suffix == ".py"]


@pytest.mark.parametrize("part", PARTS)
def test_a_part_is_a_typed_package_in_its_own_source_root(part: str) -> None:
    package = ROOT / part / "stepwell" / part
    assert (package / "__init__.py").is_file()
    assert (package / "py.typed").is_file()


@pytest.mark.parametrize("folder", [*PARTS, *(f"{part}/stepwell" for part in PARTS), "tests/platform"])
def test_no_init_where_it_would_hide_another_package(folder: str) -> None:
    reason = "it hides Python's own `platform`, or the other three parts of the namespace"
    assert not (ROOT / folder / "__init__.py").exists(), reason


@pytest.mark.parametrize("part", PARTS)
def test_no_module_is_named_like_one_of_pythons_own(part: str) -> None:
    own = ROOT / part / "stepwell" / part
    inside = [path for path in own.rglob("*") if path.is_dir() or path.suffix == ".py"]
    assert not [str(path.relative_to(ROOT)) for path in inside if path.stem in sys.stdlib_module_names]


@pytest.mark.parametrize("part", PARTS)
def test_no_room_is_named_for_what_it_is_not_about(part: str) -> None:
    shapeless = {"util", "utils", "common", "helper", "helpers", "misc", "base", "manager"}
    assert not [str(path.relative_to(ROOT)) for path in modules(part) if path.stem in shapeless]


@pytest.mark.parametrize("part", PARTS)
def test_imports_point_one_way(part: str) -> None:
    backward = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in modules(part)
        for name in imported(path)
        if name.split(".")[0] == "stepwell" and name.split(".")[1:2] and name.split(".")[1] not in allowed(part)
    ]
    assert not backward


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.relative_to(ROOT)}: a relative import hides which part it is from"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


ALONE = """
import importlib, pkgutil, sys
part, unwanted, roots = sys.argv[1], set(sys.argv[2].split(",")), sys.argv[3].split(",")
sys.path[:] = roots + [path for path in sys.path if path not in unwanted]
package = importlib.import_module(f"stepwell.{part}")
for module in pkgutil.walk_packages(package.__path__, f"stepwell.{part}."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
"""


@pytest.mark.parametrize("part", PARTS)
def test_a_part_is_importable_without_those_after_it(part: str) -> None:
    every = [str(ROOT / other) for other in PARTS]
    roots = [str(ROOT / other) for other in allowed(part)]
    arguments = [sys.executable, "-I", "-c", ALONE, part, ",".join(every), ",".join(roots)]
    ran = subprocess.run(arguments, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 0, ran.stderr


@pytest.mark.parametrize("part", PARTS)
def test_the_public_names_are_listed_in_order_and_all_there(part: str) -> None:
    package = importlib.import_module(f"stepwell.{part}")
    listed: list[str] = getattr(package, "__all__", [])
    assert listed == sorted(listed)
    assert set(listed) == offered(package)


def offered(package: ModuleType) -> set[str]:
    return {
        name for name, value in vars(package).items() if not name.startswith("_") and not inspect.ismodule(value)
    } - {"annotations"}


@pytest.mark.parametrize("part", sorted(PUBLIC))
def test_the_public_names_are_these(part: str) -> None:
    assert importlib.import_module(f"stepwell.{part}").__all__ == PUBLIC[part]


@pytest.mark.slow
def test_the_wheel_holds_every_file_of_the_four_parts_and_no_other(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True, timeout=110)
    [wheel] = tmp_path.glob("stepwell-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert packed == {path.relative_to(ROOT / part).as_posix() for part in PARTS for path in files(part)}
    assert {f"stepwell/{part}/py.typed" for part in PARTS} <= packed
