"""Backups that are none: empty, cut, overwritten and foreign ones, made of a good one."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from sessionproof.trials.chats import files_of

_SQLITE = b"SQLite format 3\0"
_TEXT = b"These are notes, and no backup of anything.\n" * 40


@dataclass(frozen=True)
class Bad:
    """A way to spoil a backup: ``spoil`` changes the bytes of each of its files.

    ``line`` does the same in a script, with the file's path in ``file`` and its bytes in ``data``.
    """

    words: str
    spoil: Callable[[bytes], bytes]
    line: str


def _cut(data: bytes) -> bytes:
    end = len(data) // 2
    return data[: end - 1] if data[end - 1 : end] == b"\n" else data[:end]


def _overwritten(data: bytes) -> bytes:
    half = len(data) // 2
    return data[:half] + b"\xff" * (len(data) - half)


EMPTY = Bad("empty", lambda _: b"", "file.write_bytes(b'')")
TEXT = Bad("a text", lambda _: _TEXT, "file.write_bytes(b'These are notes.' * 99)")
CUT = Bad("cut at the half", _cut, "file.write_bytes(data[: len(data) // 2].rstrip())")
OVERWRITTEN = Bad(
    "overwritten from the half on",
    _overwritten,
    "file.write_bytes(data[: len(data) // 2] + b'\\xff' * (len(data) - len(data) // 2))",
)
BAD = (EMPTY, TEXT, CUT, OVERWRITTEN)
"""Damage that every verification can see: no half of a backup is a backup."""


def spoiled(backup: Path, bad: Bad) -> None:
    """Spoil each file of a backup."""
    for file in files_of(backup):
        file.write_bytes(bad.spoil(file.read_bytes()))


def is_database(backup: Path) -> bool:
    """Whether the backup is a single SQLite file."""
    return backup.is_file() and backup.read_bytes()[:16] == _SQLITE


def foreign_database(path: Path) -> None:
    """Put a database of another application in the place of this file."""
    path.unlink(missing_ok=True)
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("CREATE TABLE recipes (name TEXT, minutes INTEGER)")
        db.executemany("INSERT INTO recipes VALUES (?, ?)", [("bread", 90), ("soup", 40)])


FOREIGN_LINES = (
    "Path(made).unlink()",
    "db = sqlite3.connect(made)",
    "db.execute('CREATE TABLE recipes (name TEXT)')",
    "db.close()",
)
"""The same in a script."""


def overwrite_later_half(directory: Path) -> Iterator[Path]:
    """Overwrite the later half of each file in a directory that is not tiny; which ones."""
    for file in files_of(directory):
        data = file.read_bytes()
        if len(data) >= 64:
            file.write_bytes(_overwritten(data))
            yield file
