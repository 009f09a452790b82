"""``sessionproof new-adapter``: an adapter that runs at once, in a file of the user's."""

from __future__ import annotations

import keyword
import shlex
import sys
from importlib.machinery import PathFinder
from importlib.resources import files
from pathlib import Path

from sessionproof.engine.plan import BadUsage

_TAKEN = {*sys.stdlib_module_names, "sessionproof", "sessionproof_suites"}


def write_adapter(name: str, *, asynchronous: bool) -> str:
    """Write the starter to ``name`` (a file, or a module's name); answers the command to run next.

    Raises BadUsage for a name that cannot be imported, or by which something else is: a package
    that the adapter is for, most of all. And for a file that is there already.
    """
    file = Path(name if name.endswith(".py") else f"{name}.py")
    if not file.stem.isidentifier() or keyword.iskeyword(file.stem):
        raise BadUsage(f"{file.stem!r} is no name of a module: use letters, digits and _")
    if file.stem in _TAKEN or _is_installed(file.stem):
        raise BadUsage(f"a module {file.stem} is there already: choose another name")
    starter = files(__package__).joinpath("starters", "aio.py" if asynchronous else "plain.py")
    try:
        with file.open("x", encoding="utf-8") as target:
            target.write(starter.read_text("utf-8"))
    except FileExistsError:
        raise BadUsage(f"{file} is there already: choose another name, or move it away") from None
    except OSError as error:
        raise BadUsage(f"{file} cannot be written: {error.strerror}") from None
    folder = "" if file.parent == Path() else f"cd {shlex.quote(str(file.parent))} && "
    return f"{folder}sessionproof run {file.stem}:Store"


def _is_installed(module: str) -> bool:
    """Whether there is such a module elsewhere than where the command was started."""
    elsewhere = [entry for entry in sys.path if Path(entry) != Path.cwd() and entry]
    return PathFinder.find_spec(module, elsewhere) is not None
