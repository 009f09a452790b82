"""Files beneath given folders under control: to open, read, write, move or sync one is a point.

A buffer is written when it is full, flushed or closed; then, and not before, others can see it.
Who waits for a lock of ``fcntl`` asks again when a file is closed or unlocked, and when nobody
else can go on, as locks can also be let go where nobody sees it.
"""

from __future__ import annotations

import builtins
import io
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from sessionproof.schedule.decisions import Point
from sessionproof.schedule.managed import active

try:
    import fcntl
except ImportError:  # Windows, where Python has no such locks
    fcntl = None  # type: ignore[assignment]

_open = io.open
_AGAIN_S = 0.001  # of virtual time, between attempts at a lock when nobody else can go on
_LOCKS = ("lock of a file",)
_MODES = frozenset("rwxab+t")
_BY_PATH = (
    "mkdir", "open", "remove", "rename", "replace", "link", "rmdir", "symlink", "truncate",
    "unlink",
)  # fmt: skip
_BY_NUMBER = ("fdatasync", "fsync", "ftruncate", "pwrite", "write")
_SYNCS = ("fdatasync", "fsync")
_MOVES = ("rename", "replace", "link", "symlink")


class _Roots:
    """The folders that count, and the files beneath them that are open, by number."""

    def __init__(self, roots: Sequence[Path]) -> None:
        self._roots = tuple(os.path.realpath(root) for root in roots)
        self.open: dict[int, str] = {}
        self._exclusive: set[str] = set()

    def of(self, path: Any) -> str | None:
        """The whole path of a file beneath the folders; None for all else."""
        if isinstance(path, int):
            return self.open.get(path)
        try:
            whole = os.path.realpath(os.fsdecode(path))
        except TypeError:
            return None  # whoever is called will say what is wrong with it
        beneath = any(whole == one or whole.startswith(one + os.sep) for one in self._roots)
        return whole if beneath else None

    def made(self, path: str) -> None:
        """This one is new, and would have been refused if it were there, as a lock is."""
        self._exclusive.add(path)
        self.written(path)

    def written(self, path: str) -> None:
        """A lock has the date of the clock that threads see: old ones are taken by force."""
        if path in self._exclusive:
            now_ns = time.time_ns()
            with suppress(OSError):
                os.utime(path, ns=(now_ns, now_ns))

    def said(self, path: str) -> str:
        """The path for people: as seen from its folder, which is another in each run."""
        for one in self._roots:
            if path.startswith(one + os.sep):
                return path[len(one) + 1 :].rpartition(os.sep)[2]
        return path


def _announce(roots: _Roots, what: str, path: str, *, writes: bool = True) -> None:
    controller = active()
    if controller is not None:
        point = Point(f"{what} {roots.said(path)}", ("file", path), writes, f"{what} {path}")
        controller.point(point)


class _File(io.FileIO):
    """An open file; what goes to it or comes from it goes through here."""

    def __init__(self, roots: _Roots, path: str, file: Any, mode: str, **named: Any) -> None:
        self._told = (roots, path)
        super().__init__(file, mode, **named)

    def write(self, data: Any, /) -> int:
        """As that of ``io.FileIO``."""
        roots, path = self._told
        _announce(roots, "write", path)
        out = super().write(data)
        roots.written(path)
        return out

    def readinto(self, buffer: Any, /) -> int:
        """As that of ``io.FileIO``."""
        _announce(self._told[0], "read", self._told[1], writes=False)
        return super().readinto(buffer)

    def readall(self) -> bytes:
        """As that of ``io.FileIO``."""
        _announce(self._told[0], "read", self._told[1], writes=False)
        return super().readall()

    def truncate(self, size: int | None = None, /) -> int:
        """As that of ``io.FileIO``."""
        _announce(self._told[0], "truncate", self._told[1])
        return super().truncate(size)

    def close(self) -> None:
        """As that of ``io.FileIO``."""
        super().close()
        _unlocked()


def _unlocked() -> None:
    """Who waits for a lock of a file may have it now."""
    controller = active()
    if controller is not None:
        controller.wake(_LOCKS)


def _opener(roots: _Roots) -> Callable[..., Any]:
    """``open`` with a point for each file that counts, made of the parts that it is made of."""

    def ours(
        file: Any,
        mode: str = "r",
        buffering: int = -1,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
        closefd: bool = True,
        opener: Any = None,
    ) -> Any:
        path = roots.of(file) if active() is not None else None
        plain = isinstance(mode, str) and set(mode) <= _MODES and buffering in (-1, 1)
        if path is None or not plain:
            return _open(file, mode, buffering, encoding, errors, newline, closefd, opener)
        writes = mode.strip("rbt") != ""
        if not isinstance(file, int):
            _announce(roots, f"open ({mode.replace('t', '')})", path, writes=writes)
        if ("b" in mode and (encoding or errors or newline)) or sum(map(mode.count, "rwxa")) != 1:
            return _open(file, mode, buffering, encoding, errors, newline, closefd, opener)
        bare = mode.replace("t", "")
        name = file if isinstance(file, int) else os.fspath(file)
        raw = _File(roots, path, name, bare, closefd=closefd, opener=opener)
        try:
            whole = _buffered(raw, mode)
            if "b" not in mode:
                lines = buffering == 1
                text = io.TextIOWrapper(whole, io.text_encoding(encoding), errors, newline, lines)
                text.mode = mode  # type: ignore[misc]
                whole = text
        except BaseException:
            raw.close()
            raise
        roots.open[raw.fileno()] = path
        if "x" in mode:
            roots.made(path)
        return whole

    return ours


def _buffered(raw: _File, mode: str) -> Any:
    if "+" in mode:
        return io.BufferedRandom(raw)
    return io.BufferedReader(raw) if "r" in mode else io.BufferedWriter(raw)


def _by_path(roots: _Roots, name: str, theirs: Callable[..., Any]) -> Callable[..., Any]:
    def ours(path: Any, *args: Any, **named: Any) -> Any:
        if active() is None:
            return theirs(path, *args, **named)
        known = roots.of(path)
        other = roots.of(args[0]) if name in _MOVES and args else None
        if known is not None or other is not None:
            where = other or known or ""
            flags = args[0] if args else named.get("flags", 0)
            writes = name != "open" or (flags & os.O_ACCMODE) != os.O_RDONLY
            _announce(roots, name, where, writes=writes)
        out = theirs(path, *args, **named)
        if name == "open" and known is not None:
            roots.open[out] = known
            if flags & os.O_EXCL:
                roots.made(known)
        elif name == "mkdir" and known is not None:
            roots.made(known)
        return out

    return ours


def _by_number(roots: _Roots, name: str, theirs: Callable[..., Any]) -> Callable[..., Any]:
    def ours(number: Any, *args: Any, **named: Any) -> Any:
        if active() is None:
            return theirs(number, *args, **named)
        path = roots.open.get(number if isinstance(number, int) else number.fileno())
        if path is None:
            return theirs(number, *args, **named)
        _announce(roots, name, path, writes=name not in _SYNCS)
        out = theirs(number, *args, **named)
        roots.written(path)
        return out

    return ours


def _closed(roots: _Roots, theirs: Callable[[int], None]) -> Callable[[int], None]:
    def ours(fd: int) -> None:
        if active() is not None:
            roots.open.pop(fd, None)
        theirs(fd)
        _unlocked()

    return ours


def _locked(name: str, theirs: Callable[..., Any]) -> Callable[..., Any]:
    """A lock of a file: who can't have it waits, and asks again."""

    def ours(fd: Any, operation: int, *args: Any) -> Any:
        controller = active()
        if controller is None:
            return theirs(fd, operation, *args)
        lets_go = bool(operation & fcntl.LOCK_UN)
        point = Point(f"{name}: {'let go' if lets_go else 'take'}", _LOCKS)
        controller.point(point)
        if lets_go or operation & fcntl.LOCK_NB:
            out = theirs(fd, operation, *args)
            _unlocked()
            return out
        while True:
            with suppress(BlockingIOError, PermissionError):
                return theirs(fd, operation | fcntl.LOCK_NB, *args)
            controller.park(_LOCKS, point, seconds=_AGAIN_S)

    return ours


@contextmanager
def controlled_files(roots: Sequence[Path]) -> Iterator[None]:
    """Within it, what is done to files beneath these folders can be controlled."""
    known = _Roots(roots)
    opened = _opener(known)
    ours: list[tuple[Any, str, Any]] = [(builtins, "open", opened), (io, "open", opened)]
    ours.append((os, "close", _closed(known, os.close)))
    ours += [(os, name, _by_path(known, name, getattr(os, name))) for name in _BY_PATH]
    numbers = [name for name in _BY_NUMBER if hasattr(os, name)]  # macOS has no fdatasync
    ours += [(os, name, _by_number(known, name, getattr(os, name))) for name in numbers]
    locks = () if fcntl is None else ("flock", "lockf")
    ours += [(fcntl, name, _locked(name, getattr(fcntl, name))) for name in locks]
    held = [(owner, name, getattr(owner, name)) for owner, name, _ in ours]
    for owner, name, mine in ours:
        setattr(owner, name, mine)
    try:
        yield
    finally:
        for owner, name, theirs in held:
            setattr(owner, name, theirs)
