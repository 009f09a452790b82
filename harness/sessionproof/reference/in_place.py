"""A closed database changed in place: tried on a copy, kept, then changed in one transaction.

The work is done first on a private copy, which says what would change; where nothing would, the
file is never opened for writing. Before the file itself is changed, a copy of it, its log included,
lies beside it, and what the work takes out of the tables lies in another file there.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, TextIO, TypeAlias

from sessionproof.contract.errors import Refused, StoreError
from sessionproof.contract.upkeep import Repaired
from sessionproof.reference import files
from sessionproof.reference.copying import kept_copy, on_state
from sessionproof.reference.failures import ERRORS, as_store_error
from sessionproof.reference.opening import new_file, sync

SET_ASIDE = "set-aside.jsonl"
"""The last part of the name of a file with rows that were taken out of a database."""

Keep: TypeAlias = Callable[[Mapping[str, Any]], None]
"""Takes a row that is taken out: plain values; BLOBs and texts that are no UTF-8 among them."""

Work: TypeAlias = Callable[[sqlite3.Connection, Keep], tuple[str, ...]]
"""Changes a database within a transaction and answers what it changed, a sentence each."""

Progress: TypeAlias = Callable[[str], None]


def changed(
    file: Path, work: Work, *, purpose: str, dry_run: bool, progress: Progress | None = None
) -> Repaired:
    """Do the work on a closed database, or say what it would change.

    ``purpose`` is the last part of the name of the copy that is made before. Raises ``Refused`` in
    one line, and then the file is as it was.
    """
    told = progress or (lambda _: None)
    told("a copy of the file")
    changes = _rehearsed(file, work)
    if dry_run or not changes:
        return Repaired(changes=changes)
    told("the file itself")
    with closing(files.open_alone(file)) as connection, _errors_of(file, writes=True):
        _as_bytes_come(connection)
        before = kept_copy(connection, file, purpose)
        try:
            aside, changes = _worked(connection, file, work)
        except BaseException:
            before.unlink()
            raise
        connection.execute("COMMIT")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").close()
    kept = () if aside is None else (f"the rows as they were lie in {aside}",)
    return Repaired(changes=(*changes, *kept), backup=os.fspath(before))


def _rehearsed(file: Path, work: Work) -> tuple[str, ...]:
    def on_copy(connection: sqlite3.Connection) -> tuple[str, ...]:
        with closing(sqlite3.connect("", isolation_level=None)) as copy:  # private, on the disk
            connection.backup(copy)
            _as_bytes_come(copy)
            copy.execute("BEGIN")
            return work(copy, lambda _: None)

    with _errors_of(file, writes=False):
        return on_state(file, on_copy)


def _worked(
    connection: sqlite3.Connection, file: Path, work: Work
) -> tuple[Path | None, tuple[str, ...]]:
    """The work within a transaction that is left open; what it set aside is on the disk."""
    connection.execute("BEGIN IMMEDIATE")
    aside = file.with_name(files.copy_name(file, SET_ASIDE))
    new_file(aside)
    try:
        with aside.open("w", encoding="ascii") as out:
            changes = work(connection, lambda row: _write(out, row))
            out.flush()
            os.fsync(out.fileno())
        if not aside.stat().st_size:
            aside.unlink()
            return None, changes
        sync(aside.parent)
    except BaseException:
        aside.unlink(missing_ok=True)
        with suppress(sqlite3.Error):  # the first error says more
            connection.execute("ROLLBACK")
        raise
    return aside, changes


def _as_bytes_come(connection: sqlite3.Connection) -> None:
    """Read texts that are no UTF-8, too; heed no CHECK, as the rows may break them."""
    connection.text_factory = lambda text: text.decode("utf-8", "surrogateescape")
    connection.execute("PRAGMA ignore_check_constraints = ON").close()


def _write(out: TextIO, row: Mapping[str, Any]) -> None:
    json.dump(row, out, default=lambda value: {"blob": value.hex()})
    out.write("\n")


@contextmanager
def _errors_of(file: Path, *, writes: bool) -> Iterator[None]:
    """SQLite's and the system's errors within, as the contract's."""
    try:
        yield
    except StoreError:
        raise
    except ERRORS as error:
        raise as_store_error(error, path=file, writes=writes) from error
    except OSError as error:
        raise Refused(f"{file} cannot be copied: {error.strerror or error}") from error
