"""Which line of a store raised: of its own code, or else of the library that it is."""

from __future__ import annotations

import linecache
import os
import sysconfig
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from types import TracebackType

AT = "at"
"""The name in the evidence of failures and findings under which the line stands."""

_LINE_MOST = 100  # characters of a line of code that are shown
_MOST = 400  # of what another process says
_HARNESS = str(Path(__file__).parents[1]) + os.sep
_STORES = tuple(
    _HARNESS + room + os.sep for room in ("adapters", "legacy", "oracle", "portal", "reference")
)
_INSTALLED = (f"{os.sep}site-packages{os.sep}", f"{os.sep}dist-packages{os.sep}")
_STANDARD = tuple(
    {sysconfig.get_path(name) + os.sep for name in ("stdlib", "platstdlib")}
)  # of this interpreter
_TRACEBACK = vars(BaseException)["__traceback__"]
_Frame = tuple[str, int]


def frame_of(error: BaseException) -> str:
    """The line of the store that raised, as in ``chats.py:11: self.conn.execute(…)``; or empty.

    That is the innermost frame of code that is neither the harness nor installed. Where there is
    none, it is the innermost one of the library that was called first, without its text; then of
    a store that comes with the harness. It never raises, and runs no code of the store.
    """
    try:
        own, library, ours = _sorted(_TRACEBACK.__get__(error))
        if own is not None:
            return _shown(own)
        return _named(library or ours)
    except Exception:  # noqa: BLE001 - what it raised is told in any case
        return ""


def frame_said(value: object) -> str:
    """The line that another process names, if it is a text at all."""
    return value[:_MOST] if type(value) is str else ""


def _sorted(
    trace: TracebackType | None,
) -> tuple[_Frame | None, _Frame | None, _Frame | None]:
    """The innermost frames of own code, of the first library, and of the harness's stores."""
    own = library = ours = None
    package = ""
    for file, line in _frames(trace):
        if file.startswith(_HARNESS):
            ours = (file, line) if file.startswith(_STORES) else ours
        elif (within := _package_of(file)) is not None:
            package = package or within
            library = (file, line) if within == package else library
        elif not file.startswith(("<", *_STANDARD)):
            own = file, line
    return own, library, ours


def _frames(trace: TracebackType | None) -> Iterator[_Frame]:
    while trace is not None:
        yield str.__str__(trace.tb_frame.f_code.co_filename), trace.tb_lineno
        trace = trace.tb_next


@lru_cache(maxsize=1_000)
def _package_of(file: str) -> str | None:
    """The top folder or module of an installed file; None where it is not installed."""
    inside = _inside(file)
    return None if inside is None else inside.partition(os.sep)[0]


def _inside(file: str) -> str | None:
    for folder in _INSTALLED:
        _, found, inside = file.rpartition(folder)
        if found:
            return inside
    return None


def _named(frame: _Frame | None) -> str:
    if frame is None:
        return ""
    file, line = frame
    inside = _inside(file) or os.path.relpath(file, Path(_HARNESS).parent)
    return f"{inside.replace(os.sep, '/')}:{line}"


@lru_cache(maxsize=1_000)
def _shown(frame: _Frame) -> str:
    file, line = frame
    path, here = Path(file), Path.cwd()
    name = (path.relative_to(here) if path.is_relative_to(here) else Path(path.name)).as_posix()
    code = " ".join(linecache.getline(file, line).split())
    if len(code) > _LINE_MOST:
        code = f"{code[: _LINE_MOST - 1]}…"
    return f"{name}:{line}: {code}" if code else f"{name}:{line}"
