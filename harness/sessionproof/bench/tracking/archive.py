"""The archive of benchmark runs: one SQLite file, whose tables ``archive.sql`` describes.

A run is added whole or not at all, and once however often it comes. Runs are never changed.
"""

from __future__ import annotations

import json
import sqlite3
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

from sessionproof.bench.tracking.archived import ArchivedRun, body, check_times, digest
from sessionproof.contract.decoding import decoded, parsed

APPLICATION_ID = 0x73706272  # "spbr"
VERSION = 1
_TABLES = (Path(__file__).with_name("archive.sql")).read_text("utf-8")
_HEADER_BYTES = 100
_MAGIC = b"SQLite format 3\x00"
_WAIT_S = 60.0
_SAMPLES_BYTES_MOST = 64 * 1024 * 1024  # of one row; a real one has some kilobytes
_IN_ORDER = "ORDER BY ordered_at, started_at, id"


class ArchiveRefused(ValueError):
    """The archive cannot be used, or not for this; the text is one line."""


class Archive:
    """An open archive; ``opened`` makes one."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self._connection = connection

    @classmethod
    @contextmanager
    def opened(cls, path: Path, *, create: bool = True) -> Iterator[Archive]:
        """Open the archive, for one thread. Raises ArchiveRefused, and then nothing was changed.

        With ``create`` a file that is missing or empty becomes an archive; without, the archive is
        only read, but for what a writer that was killed left half done: that is taken back. What
        SQLite refuses within the block is ArchiveRefused, too.
        """
        _check_header(path, create=create)
        with _told(path):
            uri = f"{path.absolute().as_uri()}?mode={'rwc' if create else 'rw'}"
            connection = sqlite3.connect(uri, uri=True, timeout=_WAIT_S, isolation_level=None)
            with closing(connection):
                connection.execute("PRAGMA foreign_keys = ON")
                if create:
                    _make(connection)
                else:
                    connection.execute("PRAGMA query_only = ON")
                _check_tables(path, connection)
                yield cls(path, connection)

    def add(self, runs: Iterable[ArchivedRun]) -> int:
        """Keep the runs, all or none of them; how many are new.

        Others that write wait for the end, so ``runs`` should come quickly. What it raises ends
        the whole.
        """
        with _transaction(self._connection, "IMMEDIATE"):
            return sum(self._add(run) for run in runs)

    def runs(
        self, *, store: str | None = None, line: str | None = None, samples: bool = True
    ) -> Iterator[ArchivedRun]:
        """The runs of a store, of a line, or all, by ``when``; one moment's state.

        Each is held against its id. Without ``samples`` they come without raw samples, several
        times as fast: their ids are others then, and nothing is held against them.
        """
        with _told(self.path), _transaction(self._connection, "DEFERRED"):
            asked = [
                (where, value)
                for where, value in (("store = ?", store), ("line = ?", line))
                if value is not None
            ]
            where = f"WHERE {' AND '.join(part for part, _ in asked)}" if asked else ""
            rows = self._connection.execute(
                f"SELECT id, said FROM run {where} {_IN_ORDER}", [value for _, value in asked]
            )
            for name, said in rows:
                run = self._read(name, said, samples=samples)
                if samples and run.id != name:
                    raise ArchiveRefused(f"{self.path}: run {name} does not fit its id: restore it")
                yield run

    def last(self, line: str, *, before: tuple[str, str], number: int) -> list[ArchivedRun]:
        """The last runs of the line that come before ``before``, a run's ``when``; oldest first.

        They come without raw samples.
        """
        rows = self._connection.execute(
            "SELECT id, said FROM run WHERE line = ? AND (ordered_at, started_at) < (?, ?) "
            "ORDER BY ordered_at DESC, started_at DESC, id DESC LIMIT ?",
            (line, *before, number),
        ).fetchall()
        return [self._read(name, said, samples=False) for name, said in reversed(rows)]

    def latest(self, store: str, *, before: tuple[str, str]) -> ArchivedRun | None:
        """The last run of the store, in whatever line, before ``before``; without raw samples."""
        row = self._connection.execute(
            "SELECT id, said FROM run WHERE store = ? AND (ordered_at, started_at) < (?, ?) "
            "ORDER BY ordered_at DESC, started_at DESC, id DESC LIMIT 1",
            (store, *before),
        ).fetchone()
        return None if row is None else self._read(row[0], row[1], samples=False)

    def holds_measurement(self, run: ArchivedRun) -> bool:
        """Whether a bare run, of which causes and commits are not known, is kept with them.

        So a run that was archived when it was measured is not taken from its report once more.
        """
        if run.causes or run.between:
            return False
        rows = self._connection.execute(
            "SELECT 1 FROM run WHERE line = ? AND started_at = ? "
            "AND json_extract(said, '$.seed') = ?",
            (run.line, run.started_at, run.seed),
        )
        return rows.fetchone() is not None

    def count(self) -> int:
        """How many runs are kept."""
        (number,) = self._connection.execute("SELECT count(*) FROM run").fetchone()
        return int(number)

    def _add(self, run: ArchivedRun) -> int:
        check_times(run)
        text = body(run)
        name, value = digest(text), json.loads(text)
        speeds = value.pop("speeds")
        added = self._connection.execute(
            "INSERT INTO run (id, line, said) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
            (name, run.line, _text(value)),
        ).rowcount
        if added:
            rows = ((name, place, *_row(speed)) for place, speed in enumerate(speeds))
            self._connection.executemany(
                "INSERT INTO speed (run, place, said, samples) VALUES (?, ?, ?, ?)", rows
            )
        return added

    def _read(self, name: str, said: str, *, samples: bool) -> ArchivedRun:
        column = "samples" if samples else "NULL"
        rows = self._connection.execute(
            f"SELECT said, {column} FROM speed WHERE run = ? ORDER BY place", (name,)
        )
        try:
            speeds = [{**parsed(row), "samples": _inflated(raw)} for row, raw in rows]
            return decoded(ArchivedRun, {**parsed(said), "speeds": speeds})
        except (ValueError, TypeError, zlib.error) as error:
            raise ArchiveRefused(f"{self.path}: run {name} is damaged: {error}") from None


def _row(speed: dict[str, Any]) -> tuple[str, bytes]:
    samples = speed.pop("samples")
    return _text(speed), zlib.compress(_text(samples).encode("ascii"))


def _inflated(raw: bytes | None) -> Any:
    if raw is None:
        return {}
    inflating = zlib.decompressobj()
    text = inflating.decompress(raw, _SAMPLES_BYTES_MOST)
    if not inflating.eof:
        raise ValueError("its samples are cut, or too many")
    return parsed(text)


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True, allow_nan=False, separators=(",", ":"))


def _check_header(path: Path, *, create: bool) -> None:
    """Refuse what is no archive by its first bytes, before SQLite could change a thing about it."""
    if path.is_fifo():  # opening it would wait for somebody who writes
        raise ArchiveRefused(f"{path} is a pipe, and no archive: name another file")
    try:
        with path.open("rb") as file:
            header = file.read(_HEADER_BYTES)
    except FileNotFoundError:
        if create and path.absolute().parent.is_dir():
            return
        why = "its folder does not exist" if create else "bench run --archive makes one"
        raise ArchiveRefused(f"there is no archive {path}: {why}") from None
    except OSError as error:
        raise ArchiveRefused(f"the archive {path} cannot be read: {error.strerror}") from None
    if not header and create:
        return
    ours = header.startswith(_MAGIC) and _number(header, 68) == APPLICATION_ID
    if len(header) < _HEADER_BYTES or not ours:
        raise ArchiveRefused(f"{path} is no archive of benchmark runs: name another file")
    if (has := _number(header, 60)) > VERSION:
        raise ArchiveRefused(
            f"{path} was written by a newer sessionproof: it has schema {has}, and this one knows "
            f"{VERSION}: upgrade sessionproof"
        )


def _number(header: bytes, at: int) -> int:
    return int.from_bytes(header[at : at + 4], "big")


def _make(connection: sqlite3.Connection) -> None:
    """Make the tables of an archive unless somebody did."""
    (made,) = connection.execute("PRAGMA user_version").fetchone()
    if made:
        return
    with _transaction(connection, "IMMEDIATE"):
        (made,) = connection.execute("PRAGMA user_version").fetchone()
        if made:  # by another process, a moment ago
            return
        for statement in _statements():
            connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {VERSION}")


def _check_tables(path: Path, connection: sqlite3.Connection) -> None:
    """Refuse an archive with tables or triggers that are not ours: queries would run their SQL."""
    found = connection.execute("SELECT sql, name FROM sqlite_schema WHERE sql IS NOT NULL")
    names, ours = dict(found.fetchall()), _statements()
    if not set(ours) <= set(names):
        raise ArchiveRefused(f"{path} has other tables than an archive: restore it")
    if others := [name for sql, name in names.items() if sql not in ours]:
        raise ArchiveRefused(
            f"{path} has other tables than an archive: drop {others[0]!a}, which is not ours"
        )


def _statements() -> Sequence[str]:
    """Each statement of ``archive.sql`` as SQLite keeps it."""
    parts = _TABLES.split(";\n")
    return [part[part.index("CREATE") :] for part in parts if "CREATE" in part]


@contextmanager
def _transaction(connection: sqlite3.Connection, kind: str) -> Iterator[None]:
    connection.execute(f"BEGIN {kind}")
    try:
        yield
    except BaseException:
        with suppress(sqlite3.Error):  # a full disk has ended it already, or the file is closed
            connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """What SQLite refuses, as one line that names the file."""
    try:
        yield
    except sqlite3.Error as error:
        raise ArchiveRefused(f"the archive {path} cannot be used: {error}") from None
