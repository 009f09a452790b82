"""What a store may change of the process that runs it: seen after each test, and put back.

A worker runs many tests, and our own code beside the store's. A working folder, a time zone or a
builtin function that a call of the store left otherwise would be found by the next test, and by
whoever writes its record, as a closed stream would be by whoever says how the test ended. Only what
calls change counts: what a store's modules set up when they are imported is the store's way to
live.
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


@dataclass(frozen=True)
class _Part:
    """Something that all code of a process shares."""

    now: Callable[[], Any]
    put_back: Callable[[Any], object]


class Kept:
    """What is otherwise at the end of this context is put back, and named for a sentence.

    It is no generator, which would need builtin functions before they are put back.
    """

    def __enter__(self) -> list[str]:
        """The names, which come when it ends."""
        self._changed: list[str] = []
        self._before = {name: part.now() for name, part in _PARTS.items()}
        self._streams = _Streams()
        return self._changed

    def __exit__(self, *_error: object) -> None:
        """Builtins come first: what compares here is built on them."""
        for name, part in _PARTS.items():
            if part.now() != self._before[name]:
                self._changed.append(name)
                with contextlib.suppress(OSError, ValueError, locale.Error):  # a folder may be gone
                    part.put_back(self._before[name])
        if self._streams.put_back():
            self._changed.append("the standard streams")


class _Streams:
    """The files of the standard streams' descriptors, which may be closed, or others later."""

    def __init__(self) -> None:
        self._before = {number: _identity(number) for number in (0, 1, 2)}
        there = [number for number, file in self._before.items() if file is not None]
        self._copies = {number: os.dup(number) for number in there}

    def put_back(self) -> bool:
        """Whether there was one to put back; the copies are given up."""
        changed = [number for number in self._copies if _identity(number) != self._before[number]]
        for number in changed:
            if self._has_copy(number):
                os.dup2(self._copies[number], number)
            else:  # closed, as all others were: nobody is told what is written there
                nothing = os.open(os.devnull, os.O_RDWR)
                os.dup2(nothing, number)
                if nothing != number:
                    os.close(nothing)
        for number in self._copies:
            if self._has_copy(number):  # and no file of the store that took its place
                os.close(self._copies[number])
        return bool(changed)

    def _has_copy(self, number: int) -> bool:
        return _identity(self._copies[number]) == self._before[number]


def _identity(number: int) -> tuple[int, int] | None:
    try:
        file = os.fstat(number)
    except OSError:
        return None
    return file.st_dev, file.st_ino


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
