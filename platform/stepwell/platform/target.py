"""What a worker is pointed at: `module:app`, `module`, or `path/to/file.py`, with `:app` behind it or not."""

import importlib
import importlib.util
import sys
import traceback
from pathlib import Path
from types import ModuleType

import stepwell.functions
from stepwell.functions import App
from stepwell.platform.errors import StepwellError

OURS = (str(Path(stepwell.functions.__file__).parent), str(Path(__file__).parent))
"""Folders of code that is not the user's."""


class BadTarget(StepwellError):
    """The target cannot be loaded; the text says why and what to do."""


def load_apps(target: str) -> list[App]:
    """Imports the target and finds its apps: the one named, or every `App` at the module's top level.

    Raises `BadTarget` when there is no such file, module or app, or the code fails when imported.
    """
    place, _, name = target.rpartition(":") if _has_name(target) else (target, "", "")
    module = _load(place)
    if name:
        apps = [_named(module, place, name)]
    else:
        apps = list({app.id: app for app in vars(module).values() if isinstance(app, App)}.values())
    if not apps:
        raise BadTarget(f'{place} has no App at its top level; write `app = App("my-app")` in it')
    if not any(app.functions for app in apps):
        raise BadTarget(f'{place} has no function; decorate one with `@{name or "app"}.function(on="some.event")`')
    return apps


def check_target(target: str) -> None:
    """Raises `BadTarget` when there is no such file, or no such module; imports nothing of it."""
    place = target.rpartition(":")[0] if _has_name(target) else target
    if _is_file(place):
        _check_file(Path(place))
        return
    sys.path.insert(0, str(Path.cwd()))
    try:
        spec = importlib.util.find_spec(place.partition(".")[0])
        # A folder without __init__.py can be imported, and has nothing in it.
        if spec is None or (spec.origin is None and Path(place).is_dir()):
            raise BadTarget(_no_module(place))
    except ValueError:
        raise BadTarget(_no_path(place) or f"{target!r} is no target; write module:app or path/to/file.py") from None
    finally:
        del sys.path[0]


def folder_of(target: str) -> Path:
    """Where the code of a target is that exists: the folder of its file, or of its top-level module or package."""
    place = target.rpartition(":")[0] if _has_name(target) else target
    if _is_file(place):
        return Path(place).resolve().parent
    sys.path.insert(0, str(Path.cwd()))
    try:
        spec = importlib.util.find_spec(place.partition(".")[0])
    finally:
        del sys.path[0]
    return Path(spec.origin).parent if spec and spec.origin else Path.cwd()


def _has_name(target: str) -> bool:
    return ":" in target and not target.endswith(".py")


def _named(module: ModuleType, place: str, name: str) -> App:
    app = getattr(module, name, None)
    if isinstance(app, App):
        return app
    apps = [key for key, value in vars(module).items() if isinstance(value, App)]
    hint = f"it has {', '.join(apps)}" if apps else "it has no App at all"
    what = "has no" if app is None else f"has {type(app).__name__!r} as"
    raise BadTarget(f"{place} {what} {name!r}; {hint}")


def _load(place: str) -> ModuleType:
    try:
        return _load_file(Path(place)) if _is_file(place) else _load_module(place)
    except BadTarget:
        raise
    except (Exception, SystemExit) as error:
        where = _place_of(error)
        raise BadTarget(f"{place} failed when it was imported: {type(error).__name__}: {error}{where}") from error


def _load_module(name: str) -> ModuleType:
    sys.path.insert(0, str(Path.cwd()))
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as missing:
        if missing.name is None or not (name == missing.name or name.startswith(f"{missing.name}.")):
            raise
        raise BadTarget(_no_module(name)) from None


def _no_module(name: str) -> str:
    path = _no_path(name)
    if path:
        return path
    hint = f"; did you mean the file {name}.py?" if Path(f"{name}.py").exists() else ""
    return f"there is no module {name!r} in {Path.cwd()} or the installed packages{hint}"


def _no_path(place: str) -> str:
    """What is wrong with a path that exists and holds no module; empty when there is no such path."""
    path = Path(place)
    if path.is_dir():
        found = sorted(path.glob("*.py"))
        return (
            f"{place!r} is a folder; give the file that has the App, such as {found[0] if found else path / 'app.py'}"
        )
    if path.exists():
        return f"{place!r} is not a Python file; give one, such as app.py, or a module, such as shop:app"
    return ""


def _is_file(place: str) -> bool:
    return place.endswith(".py")


def _check_file(path: Path) -> None:
    if not path.is_file():
        raise BadTarget(f"there is no file {str(path)!r} in {Path.cwd()}")


def _load_file(path: Path) -> ModuleType:
    _check_file(path)
    # As `python path` would: its folder comes first, so that it finds its neighbours.
    sys.path.insert(0, str(path.resolve().parent))
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise BadTarget(f"{str(path)!r} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module


def _place_of(error: BaseException) -> str:
    """The last line of the user's code that led to the error: those of ours explain nothing."""
    if isinstance(error, SyntaxError):
        return ""  # its text says where
    # What begins with "<" is in no file: importlib's own code, and the methods that dataclasses write.
    frames = [(frame.f_code.co_filename, line) for frame, line in traceback.walk_tb(error.__traceback__)]
    theirs = [(file, line) for file, line in frames if not file.startswith((*OURS, "<"))]
    return " ({}, line {})".format(*theirs[-1]) if theirs else ""
