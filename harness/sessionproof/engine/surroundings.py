"""What a store may change of the process that runs it: seen after each test, and put back.

A worker runs many tests, and our own code beside the store's. A working folder, a time zone or a
builtin function that a call of the store left otherwise would be found by the next test, and by
whoever writes its record. Only what calls change counts: what a store's modules set up when they
are imported is the store's way to live.
"""

from __future__ import annotations

import builtins
import contextlib
import gc
import locale
import os
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

_BUILTINS = dict(vars(builtins))  # before any store is there
Surroundings = Mapping[str, Any]
"""The values of the parts by their names."""


@dataclass(frozen=True)
class _Part:
    """Something that all code of a process shares."""

    now: Callable[[], Any]
    put_back: Callable[[Any], object]


def surroundings() -> Surroundings:
    """What a test begins with."""
    return {name: part.now() for name, part in _PARTS.items()}


def put_back(before: Surroundings) -> list[str]:
    """Put back what is otherwise than before; its names, for a sentence."""
    changed = []
    for name, part in _PARTS.items():
        # Builtins come first: what compares here is built on them.
        if part.now() != before[name]:
            changed.append(name)
            with contextlib.suppress(OSError, ValueError, locale.Error):  # a folder may be gone
                part.put_back(before[name])
    return changed


def told(changed: list[str]) -> str:
    """What was changed, as a note of a record."""
    return f"the store changed {', '.join(changed)} of its process; it was put back"


def _replaced() -> list[str]:
    """Builtin functions that are not Python's own; what was added is nobody's loss."""
    now = vars(builtins)
    return [name for name, value in _BUILTINS.items() if now.get(name) is not value]


def _put_functions_back(replaced_before: list[str]) -> None:
    vars(builtins).update(
        {name: value for name, value in _BUILTINS.items() if name not in replaced_before}
    )


def _folder() -> str | None:
    try:
        return os.getcwd()  # noqa: PTH109 - a Path would say no more
    except OSError:
        return None


def _mask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def _set_zone(zone: str | None) -> None:
    if zone is None:
        os.environ.pop("TZ", None)
    else:
        os.environ["TZ"] = zone
    time.tzset()


def _set_folder(folder: str | None) -> None:
    if folder is not None:
        os.chdir(folder)


def _collect(enabled: bool) -> None:
    (gc.enable if enabled else gc.disable)()


_PARTS: Mapping[str, _Part] = {
    "builtin functions": _Part(_replaced, _put_functions_back),
    "the working folder": _Part(_folder, _set_folder),
    "the umask": _Part(_mask, os.umask),
    "the time zone": _Part(lambda: os.environ.get("TZ"), _set_zone),
    "the locale": _Part(
        partial(locale.setlocale, locale.LC_ALL), partial(locale.setlocale, locale.LC_ALL)
    ),
    "the recursion limit": _Part(sys.getrecursionlimit, sys.setrecursionlimit),
    "sys.stdout": _Part(lambda: sys.stdout, lambda stream: setattr(sys, "stdout", stream)),
    "sys.stderr": _Part(lambda: sys.stderr, lambda stream: setattr(sys, "stderr", stream)),
    "garbage collection": _Part(gc.isenabled, _collect),
}
