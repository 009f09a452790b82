"""All classes of damage, and which of them a file can take."""

from __future__ import annotations

from collections.abc import Mapping
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
    logged = log_of(path).is_file() and log_of(path).stat().st_size > 0
    database = is_database(path)
    return tuple(one for one in classes if fits(one, database=database, logged=logged))


def fits(damage: Damage, *, database: bool, logged: bool) -> bool:
    """Whether the damage can be done to an SQLite database or not, with a log beside it or not."""
    needed = {"database": database, "log": database and logged, "blocks": not database}
    return needed.get(damage.needs, True)


def is_database(path: Path) -> bool:
    """Whether the file begins as an SQLite database does."""
    with path.open("rb") as file:
        return file.read(len(MAGIC)) == MAGIC


def main_files(files: Mapping[str, bytes], tokens: tuple[bytes, ...] = ()) -> tuple[str, ...]:
    """The paths of the files that hold a store's data, sorted; ``files`` has all with their bytes.

    These are its databases and what else has one of the tokens in it; where there is neither,
    the largest file. Logs of databases, and what lies beside them, are no main files.
    """
    beside = {f"{name}{end}" for name in files for end in _BESIDE}
    able = {name: data for name, data in files.items() if data and name not in beside}
    found = [
        name
        for name, data in able.items()
        if data.startswith(MAGIC) or any(token in data for token in tokens)
    ]
    return tuple(sorted(found or sorted(able, key=lambda name: len(able[name]))[-1:]))


_BESIDE = ("-wal", "-shm", "-journal")
