"""Histories on disk: the folder that clients write their journals to, and single files.

A folder may hold journals, what journals were sealed into, and saved files: together they are one
history, in which a session has one number.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from types import ModuleType

from sessionproof.history import npz, parquet
from sessionproof.history.columns import History
from sessionproof.history.format import (
    SUFFIXES,
    VERSION,
    Facts,
    HistoryError,
    check,
    check_version,
    reading,
    whole_file,
)
from sessionproof.history.parts import joined, merged_names, shard_of
from sessionproof.history.slots import SUFFIX, recovered

__all__ = ["HistoryError", "load", "name_sessions", "read", "save", "shards"]

_SESSIONS = "sessions.json"
_SESSIONS_FORMAT = "sessionproof-sessions"
_SESSIONS_MOST = 1 << 24  # more of them without a name are a damaged number
_SAVED = "history.npz"


def load(folder: Path) -> History:
    """All that clients recorded below this folder, dead ones included; raises HistoryError."""
    source = _Source.of(folder)
    return source.named(joined([part for file in source.files for part in file.parts(0, 1)]))


def shards(path: Path) -> Iterator[History]:
    """The history of a folder or a file in parts, each with all operations of its sessions.

    At any time one part is in memory. Sessions keep their numbers. There are as many parts as the
    file with the most shards has; journals, and files with another number, are read for each.
    Raises HistoryError.
    """
    source = _Source.of(path)
    number = max((file.facts.shards for file in source.files), default=1)
    for shard in range(number):
        yield source.named(joined([p for file in source.files for p in file.parts(shard, number)]))


def read(path: Path) -> History:
    """The whole history of a file or of a folder; raises HistoryError."""
    return load(path)


def save(history: History, path: Path, *, shards: int = 1) -> None:
    """Write the history: NPZ, Parquet where ``path`` ends so, ``history.npz`` of a folder.

    With ``shards`` it can be read and judged in so many parts. Raises HistoryError.
    """
    if shards < 1:
        raise ValueError("there is at least one shard")
    if path.is_dir():
        path /= _SAVED
    check(history, path)
    _format(path).write(history, path, shards=shards)


def name_sessions(folder: Path, names: Sequence[str]) -> None:
    """Say the ids of the sessions by number, for all journals of the folder."""
    said = {"format": _SESSIONS_FORMAT, "version": VERSION, "sessions": list(names)}
    with whole_file(folder / _SESSIONS) as file:
        file.write(json.dumps(said).encode())


@dataclass(frozen=True)
class _File:
    """A saved or sealed file, or a journal, which has one shard."""

    path: Path
    facts: Facts
    form: ModuleType | None

    def parts(self, shard: int, shards: int) -> Iterator[History]:
        """What the file has of this shard of so many."""
        if self.facts.shards == shards:
            yield self._part(shard)
        else:
            for own in range(self.facts.shards):
                yield shard_of(self._part(own), shard, shards)

    def _part(self, shard: int) -> History:
        with reading(self.path):
            if self.form is None:
                part = recovered(self.path)
            else:
                part = self.form.part_of(self.path, self.facts, shard)
            check(part, self.path)
            _sessions_of(part, self.path)
            return part


@dataclass(frozen=True)
class _Source:
    """The files of a history, and the names of its sessions."""

    path: Path
    files: tuple[_File, ...]
    names: tuple[str, ...]

    @staticmethod
    def of(path: Path) -> _Source:
        """What lies at this path; raises HistoryError where there is no history."""
        with reading(path):
            found = _files_of(path)
        files = tuple(map(_file, found))
        said = [_said_names(path)] if path.is_dir() else []
        names = merged_names([*said, *(file.facts.sessions for file in files)])
        return _Source(path, files, names)

    def named(self, history: History) -> History:
        """The history with a name for every session in it."""
        return replace(history, sessions=_padded(replace(history, sessions=self.names), self.path))


def _files_of(path: Path) -> list[Path]:
    if not path.is_dir():
        path.stat()  # raises when it is not there
        return [path]
    found = sorted(one for one in path.iterdir() if one.suffix in {*SUFFIXES, SUFFIX})
    sealed = {one.stem for one in found if one.suffix == SUFFIXES[0]}
    # A journal whose sealed file is there was about to be removed.
    files = [one for one in found if one.suffix != SUFFIX or one.stem not in sealed]
    if not files:
        raise HistoryError(f"{path} has no history: name a folder that clients wrote to, or a file")
    return files


def _file(path: Path) -> _File:
    if path.suffix == SUFFIX:
        return _File(path, Facts(), None)
    form = _format(path)
    return _File(path, form.facts_of(path), form)


def _format(path: Path) -> ModuleType:
    return parquet if path.suffix == SUFFIXES[1] else npz


def _said_names(folder: Path) -> tuple[str, ...]:
    path = folder / _SESSIONS
    if not path.exists():
        return ()
    with reading(path):
        value = json.loads(path.read_bytes())
        check_version(value, _SESSIONS_FORMAT, path)
        names = value["sessions"]
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise HistoryError(f"{path} is damaged: the names of sessions are no texts")
        return tuple(names)


def _padded(history: History, path: Path) -> tuple[str, ...]:
    """The names of the sessions, and the number of each that has none."""
    known = history.sessions
    wanted = _sessions_of(history, path)
    if wanted <= len(known) and all(known):
        return known
    names = (*known, *("" for _ in range(len(known), wanted)))
    return tuple(name or f"session {number}" for name, number in zip(names, count(), strict=False))


def _sessions_of(history: History, path: Path) -> int:
    """How many sessions the rows speak of; raises HistoryError beyond all measure."""
    number = int(history.rows["session"].max()) + 1 if len(history) else 0
    if number > max(len(history.sessions), _SESSIONS_MOST):
        raise HistoryError(f"{path} is damaged: it speaks of {number:,} sessions")
    return number
