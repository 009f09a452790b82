"""All classes of damage, and which of them a file can take."""

from __future__ import annotations

from pathlib import Path

from sessionproof.faults.damage.bits import BIT_IN_TEXT, BITS
from sessionproof.faults.damage.blocks import BLOCKS
from sessionproof.faults.damage.done import Damage
from sessionproof.faults.damage.logs import LOGS, log_of
from sessionproof.faults.damage.pages import MAGIC
from sessionproof.faults.damage.replaced import REPLACED

STRUCTURAL: tuple[Damage, ...] = (*BITS, *BLOCKS, *LOGS)
"""A part of a file is damaged, and the rest is as it was."""

TEXTUAL: tuple[Damage, ...] = (BIT_IN_TEXT,)
"""The text of a message changes, and nothing else."""

WHOLE: tuple[Damage, ...] = REPLACED
"""A file is no longer the store's."""


def fitting(classes: tuple[Damage, ...], path: Path) -> tuple[Damage, ...]:
    """Those of these classes that can be done to this file, by what it is."""
    database = is_database(path)
    logged = database and log_of(path).is_file() and log_of(path).stat().st_size > 0
    fits = {
        "database": database,
        "log": logged,
        "blocks": not database,
        "text": True,
        "any": True,
    }
    return tuple(one for one in classes if fits[one.needs])


def is_database(path: Path) -> bool:
    """Whether the file begins as an SQLite database does."""
    with path.open("rb") as file:
        return file.read(len(MAGIC)) == MAGIC


def main_files(folder: Path, tokens: tuple[bytes, ...] = ()) -> tuple[str, ...]:
    """The paths below a folder of the files that hold a store's data, sorted.

    These are its databases and what else has one of the tokens in it; where there is neither,
    the largest file. Logs of databases, and what lies beside them, are no main files.
    """
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    beside = {path.with_name(path.name + end) for path in files for end in _BESIDE}
    files = [path for path in files if path not in beside and path.stat().st_size]
    found = [path for path in files if is_database(path) or _holds(path, tokens)]
    found = found or sorted(files, key=lambda path: path.stat().st_size)[-1:]
    return tuple(path.relative_to(folder).as_posix() for path in found)


_BESIDE = ("-wal", "-shm", "-journal")


def _holds(path: Path, tokens: tuple[bytes, ...]) -> bool:
    data = path.read_bytes()
    return any(token in data for token in tokens)
