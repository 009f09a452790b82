"""What of some texts is still there in damaged files: the yardsticks of a recovery.

Both count a text only where nothing that belongs to it was touched, so a recovery that misses one
could have had it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

BLOCK = 4096
"""Bytes that a disk, and most databases, write as one."""

_MARGIN = 256  # bytes around a text that may belong to its record

LOGS = ("-wal", "-journal")

_SHELL_S = 20.0

Files = Mapping[str, bytes]
"""The contents of files by their paths below a folder."""


def files_of(folder: Path) -> dict[str, bytes]:
    """All files below a folder."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def untouched(before: Files, after: Files, texts: Collection[bytes]) -> frozenset[bytes]:
    """The texts that the files had, each of whose places lies in blocks that did not change.

    What lies in a log counts where all of the log is as it was: its end decides what is committed.
    """
    return frozenset(
        text
        for text in texts
        if (places := [*_places(before, text)])
        and all(_same(before, after, name, at, len(text)) for name, at in places)
    )


def _places(files: Files, text: bytes) -> Iterator[tuple[str, int]]:
    for name, data in files.items():
        at = data.find(text)
        while at >= 0:
            yield name, at
            at = data.find(text, at + 1)


def _same(before: Files, after: Files, name: str, at: int, length: int) -> bool:
    """Whether the blocks are as they were; of a log, all of it."""
    if name.endswith(LOGS):
        return after.get(name) == before[name]
    first = max(0, at - _MARGIN) // BLOCK * BLOCK
    last = -(-(at + length + _MARGIN) // BLOCK) * BLOCK
    return after.get(name, b"")[first:last] == before[name][first:last]


def rows_by_shell(file: Path) -> frozenset[bytes]:
    """The statements by which ``sqlite3 FILE .recover`` would make the rows of tables again.

    None at all where the command-line shell of SQLite is not installed, or was built without that
    command. The file is not touched.
    """
    shell = shutil.which("sqlite3")
    return frozenset() if shell is None else _rows(shell, file)


def _rows(shell: str, file: Path) -> frozenset[bytes]:
    """The statements that would make the rows of tables again; what was orphaned is none."""
    with tempfile.TemporaryDirectory(prefix="salvage-") as folder:
        copy = Path(folder) / "copy.db"
        shutil.copyfile(file, copy)
        log = file.with_name(f"{file.name}-wal")
        if log.exists():
            shutil.copyfile(log, copy.with_name("copy.db-wal"))
        try:
            said = subprocess.run(
                [shell, "-batch", "-init", os.devnull, os.fspath(copy), ".recover"],
                capture_output=True,
                stdin=subprocess.DEVNULL,
                check=False,
                timeout=_SHELL_S,
            )
        except subprocess.TimeoutExpired:
            return frozenset()
    return frozenset(row for row in said.stdout.split(b"\n") if row.startswith(b"INSERT"))
