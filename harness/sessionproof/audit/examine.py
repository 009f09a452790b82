"""The audit of one file: read it, recognise its schema, ask every question once."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import TypeAlias

from sessionproof.audit.catalog import Catalog, catalog
from sessionproof.audit.checks import (
    constraint_problems,
    integrity_problems,
    key_problems,
    orphan_problems,
)
from sessionproof.audit.counts import session_problems
from sessionproof.audit.file import Reading, Unreadable, on_committed_state
from sessionproof.audit.indexes import index_notes
from sessionproof.audit.known import KNOWN
from sessionproof.audit.recognise import (
    header_problems,
    recognise,
    schema_notes,
    schema_problems,
)
from sessionproof.audit.result import Audit, Problem
from sessionproof.audit.rows import repeat_problems, row_problems, time_problems
from sessionproof.audit.schemas import Known
from sessionproof.audit.tables import quoted

Progress: TypeAlias = Callable[[str], None]
"""Told what is looked at, again and again."""

Question: TypeAlias = Callable[[sqlite3.Connection], Iterable[Problem]]
Further: TypeAlias = Mapping[str, Question]
"""Questions that only the owner of a schema can ask, by what they look at."""

NOTHING_MORE: Further = MappingProxyType({})

_OF_THE_FILE = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_IOERR)
_LOOK_S = 0.1
_COUNTED = "counters and numbers"
_TICK_OPERATIONS = 500_000  # of SQLite's machine, a few milliseconds
_SETTINGS = (
    "application_id", "user_version", "journal_mode", "encoding", "page_size", "page_count",
    "freelist_count", "auto_vacuum",
)  # fmt: skip


def audit(path: os.PathLike[str] | str, *, progress: Progress | None = None) -> Audit:
    """Audit an SQLite file; it is never changed, and no file is made beside it.

    Raises ``Unreadable`` in one line when nothing can be said of it, ``KeyboardInterrupt`` when
    ``progress`` raises it. Call it in a process that has the file not open otherwise.
    """
    told = progress or (lambda _: None)
    path = Path(path)
    return on_committed_state(path, lambda reading: examine(reading, path, told))


def examine(
    reading: Reading, path: Path, progress: Progress, *, further: Further = NOTHING_MORE
) -> Audit:
    """Audit what two connections read; ``further`` is asked of a file whose schema is known."""
    return _Examination(reading, path, progress, further).run()


class _Examination:
    """One pass over a file; what cannot be read is a problem of its own."""

    def __init__(self, reading: Reading, path: Path, progress: Progress, further: Further) -> None:
        self._reading = reading
        self._connection = reading.connection
        self._path = path
        self._progress = progress
        self._further = further
        self._problems: list[Problem] = []
        self._notes: list[str] = []
        self._unchecked: list[str] = []
        self._stopped: BaseException | None = None
        self._step = ""

    def run(self) -> Audit:
        """Ask everything."""
        self._connection.set_progress_handler(self._tick, _TICK_OPERATIONS)
        settings = _settings(self._connection)
        tables = self._catalog()
        known = recognise(tables, settings, KNOWN) if tables else None
        rows: dict[str, int] = {}
        if tables is not None:
            if not tables.objects:
                raise Unreadable(f"{self._path} has no tables: there is nothing to audit")
            rows = self._rows(tables, known)
            self._ask_all(tables, known, settings)
            self._notes += _notes(tables, known, settings)
            self._notes += index_notes(self._connection, tables)
        self._connection.set_progress_handler(None, 0)
        return Audit(
            file=str(self._path),
            schema=known.name if known else None,
            version=known.version if known else None,
            problems=_merged(self._problems),
            notes=tuple(self._notes),
            unchecked=tuple(self._unchecked),
            rows=rows,
            settings=settings,
            read=self._reading.read,
        )

    def _catalog(self) -> Catalog | None:
        found: Catalog | None = None

        def look() -> Iterator[Problem]:
            nonlocal found
            found = catalog(self._connection)
            return iter(())

        self._ask("the schema", look)
        return found

    def _rows(self, tables: Catalog, known: Known | None) -> dict[str, int]:
        """How many rows each table has, those that can be counted."""
        counts: dict[str, int] = {}
        names = [name for name in tables.tables if known is None or name in known.tables]

        def count(name: str) -> Iterator[Problem]:
            counts[name] = self._connection.execute(
                f"SELECT COUNT(*) FROM {quoted(name)}"
            ).fetchone()[0]
            return iter(())

        for name in names:
            self._ask(f"rows of {name}", lambda name=name: count(name))  # type: ignore[misc]
        return counts

    def _ask_all(
        self, tables: Catalog, known: Known | None, settings: dict[str, int | str]
    ) -> None:
        db = self._connection
        implied = known.references if known else ()
        general: dict[str, Question] = {
            "references": lambda other: orphan_problems(other, tables, implied)
        }
        if not self._reading.writable:  # else integrity_check heeds them
            general["constraints"] = lambda other: constraint_problems(other, tables)
        counted: Further = {} if known is None else {_COUNTED: partial(_counted, tables, known)}
        # What else is asked takes long: the other thread shares the work.
        aside: Further = {**general, **counted} if self._further else {}
        with self._integrity(aside) as sound:
            for step, check in general.items():
                if step not in aside:
                    self._ask(step, lambda check=check: check(db))  # type: ignore[misc]
            self._ask("keys", lambda: key_problems(db, tables))
            if known is None:
                return
            self._ask("schema", lambda: _schema(tables, known, settings))
            for step, check in {**counted, **self._further}.items():
                if step not in aside:
                    self._ask(step, lambda check=check: check(db))  # type: ignore[misc]
            trusted = sound()
            held = self._held(known) if trusted and known.strict else frozenset[str]()
            self._ask("values", lambda: row_problems(db, tables, known, held=held))
            self._ask("repeats", lambda: repeat_problems(db, tables, known, trusted=trusted))
            self._ask("times", lambda: time_problems(db, tables, known))

    @contextmanager
    def _integrity(self, aside: Further) -> Iterator[Callable[[], bool]]:
        """``integrity_check`` and more in a thread of its own, as it takes as long as the rest.

        The answer waits for it, and says whether nothing is wrong.
        """
        found: list[Problem] = []
        failed: list[tuple[str, Exception]] = []
        given_up = threading.Event()
        questions: Further = {"integrity": integrity_problems, **aside}

        def look() -> None:
            for step, check in questions.items():
                if given_up.is_set():
                    return
                try:
                    found.extend(check(self._reading.second))
                except (sqlite3.Error, UnicodeError) as error:
                    failed.append((step, error))

        def sound() -> bool:
            self._step = "integrity"
            while thread.is_alive():
                self._progress(self._step)
                thread.join(_LOOK_S)
            return not found and not failed

        thread = threading.Thread(target=look, name="integrity_check")
        thread.start()
        try:
            yield sound
            sound()
        finally:
            given_up.set()
            self._reading.second.interrupt()  # what is done already heeds it no more
            thread.join()
        self._problems[:0] = found
        for step, error in failed:
            self._failed(step, error)

    def _ask(self, step: str, check: Callable[[], Iterable[Problem]]) -> None:
        self._step = step
        self._progress(step)
        try:
            self._problems += check()
        except (sqlite3.Error, UnicodeError) as error:
            if self._stopped is not None:
                raise self._stopped from None
            if _interrupted(error):
                raise KeyboardInterrupt from None
            self._failed(step, error)

    def _failed(self, step: str, error: Exception) -> None:
        """A check that could not end: the file's fault, or this machine's."""
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
        if code in _OF_THE_FILE or isinstance(error, UnicodeDecodeError):
            what = f"{step} cannot be checked"
            self._problems.append(
                Problem(kind="corrupt-file", count=1, what=what, examples=(str(error),))
            )
        else:
            self._unchecked.append(f"{step}: {error}")

    def _held(self, known: Known) -> frozenset[str]:
        """The tables that were shown to keep their own rules, and have all of them."""
        kinds = ("altered-table", "missing-table", "broken-constraint")
        wrong = {one.table for one in self._problems if one.kind in kinds}
        return frozenset(known.tables) - wrong

    def _tick(self) -> int:
        """Called by SQLite within a long query, so that Ctrl-C and progress need not wait."""
        try:
            self._progress(self._step)
        except BaseException as error:  # noqa: BLE001 - raised again once SQLite has stopped
            self._stopped = error
            return 1
        return 0


def _counted(tables: Catalog, known: Known, connection: sqlite3.Connection) -> Iterable[Problem]:
    return session_problems(connection, tables, known)


def _interrupted(error: Exception) -> bool:
    """Whether Ctrl-C came while SQLite called us, which makes an error of SQLite of it."""
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
    return code == sqlite3.SQLITE_INTERRUPT or "user-defined function raised" in str(error)


def _schema(tables: Catalog, known: Known, settings: dict[str, int | str]) -> Iterator[Problem]:
    yield from header_problems(known, settings)
    if not _newer(known, settings):
        yield from schema_problems(tables, known)


def _newer(known: Known, settings: dict[str, int | str]) -> bool:
    return known.application_id is not None and int(settings["user_version"]) > int(
        known.version or 0
    )


def _settings(connection: sqlite3.Connection) -> dict[str, int | str]:
    found: dict[str, int | str] = {}
    for name in _SETTINGS:
        with suppress(sqlite3.Error, UnicodeDecodeError):  # the checks will say what is wrong
            found[name] = connection.execute(f"PRAGMA {name}").fetchone()[0]
    return {"application_id": 0, "user_version": 0} | found


def _notes(tables: Catalog, known: Known | None, settings: dict[str, int | str]) -> Iterator[str]:
    if known is None:
        yield "the schema is not known: integrity, references and keys alone were checked"
    elif _newer(known, settings):
        yield (
            f"schema version {settings['user_version']} is newer than this release: "
            "its tables were not compared"
        )
    else:
        yield from schema_notes(tables, known)
    for name in tables.unreadable:
        yield f"the table {name} cannot be read here: this SQLite lacks its module"
    free, pages = settings.get("freelist_count", 0), settings.get("page_count", 0)
    if isinstance(free, int) and isinstance(pages, int) and free * 4 > pages:
        yield f"{free} of {pages} pages are free: VACUUM would make the file smaller"


def _merged(problems: list[Problem]) -> tuple[Problem, ...]:
    """Each problem once: what two checks found is told by the first that named it.

    A broken constraint says no more than the rows of its table that were found by their values.
    """
    once: dict[tuple[object, ...], Problem] = {}
    for one in problems:
        key = (one.kind, one.table, one.column, one.what if one.table is None else None)
        once.setdefault(key, one)
    named: dict[str | None, int] = {}
    for one in once.values():
        if one.kind in _OF_ROWS:
            named[one.table] = named.get(one.table, 0) + one.count
    return tuple(
        one
        for one in once.values()
        if one.kind != "broken-constraint" or one.count > named.get(one.table, 0)
    )


_OF_ROWS = frozenset({
    "null-key", "null-value", "bad-role", "bad-status", "bad-number", "invalid-json",
    "wrong-counter", "number-beyond-next",
})  # fmt: skip
