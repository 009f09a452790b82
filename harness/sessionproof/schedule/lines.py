"""Each line of a store's own files as a point: for windows in which it calls nothing.

So is the way back from one function of these files to another: in ``cache[name] = self.load(name)``
the window lies between two halves of a line. A second pass only: so many points hide what few
points find. Before Python 3.12 threads are traced; since then the lines of those files alone are
watched.
"""

from __future__ import annotations

import gc
import linecache
import sys
import sysconfig
import threading
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from types import CodeType, FrameType, FunctionType
from typing import Any

from sessionproof.schedule.decisions import Point
from sessionproof.schedule.managed import active

_PARTS_MOST = 50  # of a collection that a store holds
_DEPTH = 2
_DRIVERS = ("sqlite3", "sqlalchemy", "aiosqlite", "greenlet", "pydantic", "numpy", "pytest")
_HARNESS = "sessionproof"
_STORES = ("sessionproof.reference", "sessionproof.adapters")
_SHOWN = 60  # characters of a line
_COMPREHENSIONS = ("<listcomp>", "<setcomp>", "<dictcomp>", "<genexpr>")


def files_of(store: object) -> frozenset[str]:
    """The files of the store's own code: of its class or factory, and of what it holds.

    Without the standard library, drivers, and the harness.
    """
    return frozenset(file for module in _modules(store, _DEPTH) if (file := file_of(module)))


def _modules(store: object, depth: int) -> Iterator[str]:
    kind = store if isinstance(store, type) else type(store)
    for one in kind.__mro__:
        yield str(one.__module__)
    named = getattr(store, "__func__", getattr(store, "__wrapped__", store))
    if isinstance(named, FunctionType):
        yield named.__module__
    if depth:
        for part in _held(store):
            yield from _modules(part, depth - 1)


def _held(store: object) -> Iterator[object]:
    """What it holds, and what its collections hold; no code of the store runs."""
    try:
        values = list(object.__getattribute__(store, "__dict__").values())
    except AttributeError:
        return
    for value in values:
        yield value
        if type(value) in (list, tuple, set):
            yield from list(value)[:_PARTS_MOST]
        elif type(value) is dict:
            yield from list(value.values())[:_PARTS_MOST]


@cache
def file_of(module: str) -> str | None:
    """The file of a module that is a store's own; None for libraries, drivers and the harness."""
    top = module.partition(".")[0]
    ours = top == _HARNESS and not module.startswith(_STORES)
    file = getattr(sys.modules.get(module), "__file__", None)
    if file is None or ours or top in _DRIVERS or top in sys.stdlib_module_names:
        return None
    installed = str(Path(file)).startswith(_LIBRARY)
    return None if installed and "site-packages" not in file else file


_LIBRARY = sysconfig.get_paths()["stdlib"]


class Lines:
    """Watches the lines of files, in threads that begin after it was made, until it is closed.

    A line, and a return to one, is a point of a managed thread while its controller wants
    ``lines``.
    """

    def __init__(self) -> None:
        self._files: set[str] = set()
        self._watching = _Monitored() if sys.version_info >= (3, 12) else _Traced(self._files)

    def add(self, files: Iterable[str]) -> None:
        """Watch these, too."""
        new = set(files) - self._files
        if new:
            self._files |= new
            self._watching.add(new)

    def close(self) -> None:
        """Watch nothing any more."""
        self._watching.close()


class _Traced:
    """By ``threading.settrace``: each thread that begins has the hook."""

    def __init__(self, files: set[str]) -> None:
        self._files = files
        self._before = threading.gettrace()
        threading.settrace(self._called)

    def add(self, files: set[str]) -> None:
        """Nothing: the hook looks at each call."""

    def close(self) -> None:
        threading.settrace(self._before)

    def _called(self, frame: FrameType, event: str, _: Any) -> Any:
        del event
        return self._passed if frame.f_code.co_filename in self._files else None

    def _passed(self, frame: FrameType, event: str, _: Any) -> Any:
        if event == "line":
            _announce(frame.f_code, frame.f_lineno)
        elif event == "return":
            _announce_return(frame, self._files)
        return self._passed


class _Monitored:
    """By ``sys.monitoring``: for the code of the files alone."""

    def __init__(self) -> None:
        self._codes: list[CodeType] = []
        self._files: set[str] = set()
        self._monitoring: Any = sys.monitoring  # type: ignore[attr-defined,unused-ignore]
        tools = [at for at in (4, 3, 5, 2, 1, 0) if self._monitoring.get_tool(at) is None]
        if not tools:
            raise RuntimeError("no tool id of sys.monitoring is free: end the other tools first")
        self._tool = tools[0]
        self._monitoring.use_tool_id(self._tool, "sessionproof lines")
        events = self._monitoring.events
        self._wanted = events.LINE | events.PY_RETURN
        self._monitoring.register_callback(self._tool, events.LINE, _announce)
        self._monitoring.register_callback(self._tool, events.PY_RETURN, self._returned)

    def add(self, files: set[str]) -> None:
        self._files |= files
        for code in _codes(files):
            self._codes.append(code)
            self._monitoring.set_local_events(self._tool, code, self._wanted)

    def _returned(self, code: CodeType, offset: int, answer: object) -> None:
        del code, offset, answer
        _announce_return(sys._getframe(1), self._files)

    def close(self) -> None:
        for code in self._codes:
            self._monitoring.set_local_events(self._tool, code, 0)
        self._monitoring.free_tool_id(self._tool)


def _codes(files: set[str]) -> Iterator[CodeType]:
    """The code of all functions of these files, with what is nested in it."""
    seen: set[int] = set()  # equal code of a module that was imported twice is not the same
    left = [one.__code__ for one in gc.get_objects() if type(one) is FunctionType]
    while left:
        code = left.pop()
        if id(code) not in seen and code.co_filename in files:
            seen.add(id(code))
            yield code
            left += [one for one in code.co_consts if isinstance(one, CodeType)]


def _announce(code: CodeType, line: int) -> None:
    controller = active()
    if controller is not None and controller.lines:
        controller.point(_point(code.co_filename, line))


def _announce_return(frame: FrameType, files: set[str]) -> None:
    """A point where a caller in these files goes on; comprehensions are a part of their line."""
    caller = frame.f_back
    if caller is None or caller.f_code.co_filename not in files:
        return
    if frame.f_code.co_name in _COMPREHENSIONS:
        return
    controller = active()
    if controller is not None and controller.lines:
        controller.point(_back(caller.f_code.co_filename, caller.f_lineno, frame.f_code.co_name))


@cache
def _back(file: str, line: int, name: str) -> Point:
    return Point(f"{Path(file).name}:{line} goes on, {name} returns", None)


@cache
def _point(file: str, line: int) -> Point:
    source = linecache.getline(file, line).strip()
    shown = source if len(source) <= _SHOWN else f"{source[: _SHOWN - 1]}…"
    return Point(f"{Path(file).name}:{line} {shown}", None, detail=source)
