"""Restores on PostgreSQL: one transaction takes what was there away and puts a backup in its place.

The schema is made by our own steps, as many as the backup has, its rows are loaded, and the steps
that came since are carried out. So the name of the schema does not matter, an older backup is
brought up, and no SQL of a file is run. All is verified before the transaction ends: others see
what was there, or all of the backup.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
from psycopg import sql

from sessionproof.contract.addresses import schema_of
from sessionproof.contract.errors import Refused
from sessionproof.reference.copying import Progress, quiet, unfinished
from sessionproof.reference.files import BACKUP, copy_name, purpose_of
from sessionproof.reference.opening import sync
from sessionproof.reference.postgres import dumps, programs, scripts, steps, verifying
from sessionproof.reference.postgres.failures import one_line
from sessionproof.reference.postgres.place import Place, Rows, tables
from sessionproof.reference.postgres.pool import Connection, transaction
from sessionproof.reference.restore import BEFORE

if TYPE_CHECKING:
    from sessionproof.reference.postgres.store import PostgresStore

_FIRST = ("sessions", "messages")
_TRIES = 5
_COLUMNS = (
    "SELECT c.relname, array_agg(a.attname::text) FROM pg_class AS c "
    "JOIN pg_namespace AS n ON n.oid = c.relnamespace "
    "JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped "
    "WHERE n.nspname = %s AND c.relkind = 'r' GROUP BY c.relname"
)
_REFERENCES = (
    "SELECT c.relname, k.conname, pg_get_constraintdef(k.oid) FROM pg_constraint AS k "
    "JOIN pg_class AS c ON c.oid = k.conrelid JOIN pg_namespace AS n ON n.oid = c.relnamespace "
    "WHERE n.nspname = %s AND k.contype = 'f'"
)
_NUMBERED = (
    "SELECT c.relname, a.attname, pg_get_serial_sequence(format('%%I.%%I', n.nspname, c.relname), "
    "a.attname) FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace "
    "JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attidentity <> '' WHERE n.nspname = %s"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """What was restored: where, the rows of its tables, and the copy of what was there.

    ``before`` is None when there was nothing, and in a dry run.
    """

    file: str
    rows: Rows
    before: Path | None


class _Only(Exception):
    """Ends a transaction that was a trial."""


def restore(
    store: PostgresStore, backup: os.PathLike[str] | str, directory: os.PathLike[str] | str
) -> str | None:
    """Put a backup's data in the place of that of a directory, once it is verified.

    The directory stands for its schema in this store's database. Answers the path of a dump of what
    was there, which lies in the directory; None when there was nothing. Raises ``Refused``.
    """
    if store.ended:
        raise Refused(store.ended)
    before = put_back(backup, Place(store.url, schema_of(directory)), kept_in=directory).before
    return None if before is None else os.fspath(before)


def put_back(
    backup: os.PathLike[str] | str,
    place: Place,
    *,
    kept_in: os.PathLike[str] | str,
    as_it_is: bool = False,
    dry_run: bool = False,
    progress: Progress = quiet,
) -> Restored:
    """Put a backup in the place of what is in a schema; what was there is kept in a folder.

    A dry run loads it beside, and takes it back. A copy of what was there before may have problems,
    and is restored as it was; so is any with ``as_it_is``. Raises ``Refused``; nothing has changed
    then.
    """
    source, folder = Path(backup).absolute(), Path(kept_in).absolute()
    if not folder.is_dir():
        raise Refused(f"{folder} is no directory: make it first")
    what = f"{place} was not restored from {source}"
    verified = not as_it_is and purpose_of(source) in (None, BACKUP)
    rows: Rows = {}
    try:
        with place.connected(writes=True) as db:
            tools = programs.client(db.info.server_version // 10_000)
            progress(f"all rows of {source.name}")
            scripts.row_counts(tools, source)  # a bad one is told before anybody has to wait
            if dry_run:
                before = None
                with suppress(_Only), transaction(db):
                    trial = Place(place.url, f"sp_trial_{secrets.token_hex(8)}")
                    rows = _filled(db, tools, source, trial, verified, progress)
                    raise _Only
            else:
                with _kept(db, tools, place, folder, progress) as before:
                    rows = _filled(db, tools, source, place, verified, progress)
    except OSError as error:
        raise Refused(f"{what}: {error.strerror or error}") from error
    except Refused as error:
        raise Refused(f"{what}: {error}") from error
    return Restored(file=str(place), rows=rows, before=before)


@contextmanager
def _kept(
    db: Connection, tools: programs.Client, place: Place, folder: Path, progress: Progress
) -> Iterator[Path | None]:
    """A transaction that has the schema alone, and a dump of what is there; answers its path.

    The dump has its name before the transaction ends, and is removed where that ends badly.
    """
    if not steps.version_of(db, place.schema):
        with transaction(db):
            steps.lock(db, place.schema)
            if steps.version_of(db, place.schema):
                raise Refused("somebody has made it meanwhile: try again")
            yield None
        return
    place.require(db)
    final = folder / copy_name(place.series(db), BEFORE, folder=folder)
    replaced = False  # from then on the outcome may be open, and the dump is what is left
    with unfinished(final) as part:
        try:
            with transaction(db):
                steps.lock(db, place.schema)
                _locked(db, place.schema, "EXCLUSIVE")
                progress(f"what is in {place}")
                dumps.dumped(db, place, tools, part)
                part.rename(final)
                sync(folder)
                _locked(db, place.schema, "ACCESS EXCLUSIVE")
                yield final
                replaced = True
        except BaseException:
            if not replaced:
                final.unlink(missing_ok=True)
            raise


def _locked(db: Connection, schema: str, mode: str) -> None:
    """Within a transaction: lock all tables, against those who write or against all.

    Whoever writes begins with sessions, or with messages and sessions: in this order only a
    statement of that moment is in a circle with us, and one of us has to try again.
    """
    names = [*_FIRST, *(name for name in tables(db, schema) if name not in _FIRST)]
    for left in reversed(range(_TRIES)):
        try:
            with db.transaction():  # a savepoint
                for name in names:
                    table = sql.Identifier(schema, name)
                    db.execute(sql.SQL("LOCK TABLE {} IN {} MODE").format(table, sql.SQL(mode)))
        except psycopg.errors.DeadlockDetected:
            if not left:
                raise
        else:
            return


def _filled(
    db: Connection,
    tools: programs.Client,
    source: Path,
    place: Place,
    verified: bool,
    progress: Progress,
) -> Rows:
    """Within a transaction: make the schema anew with the rows of a dump."""
    schema, shipped = place.schema, steps.shipped()
    name = sql.Identifier(schema)
    with scripts.opened(tools, source) as (number, parts):
        if not 1 <= number <= len(shipped):
            raise Refused(
                f"it has {number} steps, this release knows {len(shipped)}: use a newer one"
            )
        db.execute(sql.SQL("SET LOCAL search_path = {}").format(name))
        db.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(name))
        db.execute(sql.SQL("CREATE SCHEMA {}").format(name))
        steps.apply(db, schema, shipped[:number], since=0)
        try:
            with _without_guards(db, schema):
                _emptied(db, schema)
                rows = _loaded(db, schema, parts, progress)
        except (psycopg.DataError, psycopg.IntegrityError) as error:
            raise Refused(f"its rows are not in order: {one_line(error)}") from error
    steps.apply(db, schema, shipped, since=number)
    db.execute("ANALYZE {}".format(", ".join(tables(db, schema))).encode())
    problems = verifying.problems(db) if verified else ()
    if problems:
        raise Refused(f"{problems[0]}; choose another backup")
    return rows


@contextmanager
def _without_guards(db: Connection, schema: str) -> Iterator[None]:
    """Within, triggers do not fire, and references are checked at the end, all at once."""
    names = [sql.Identifier(schema, name) for name in tables(db, schema)]
    references = db.execute(_REFERENCES, (schema,)).fetchall()
    for name in names:
        db.execute(sql.SQL("ALTER TABLE {} DISABLE TRIGGER USER").format(name))
    for table, reference, _ in references:
        db.execute(
            sql.SQL("ALTER TABLE {} DROP CONSTRAINT {}").format(
                sql.Identifier(schema, table), sql.Identifier(reference)
            )
        )
    yield
    for table, reference, definition in references:
        db.execute(
            sql.SQL("ALTER TABLE {} ADD CONSTRAINT {} {}").format(
                sql.Identifier(schema, table), sql.Identifier(reference), sql.SQL(definition)
            )
        )
    for name in names:
        db.execute(sql.SQL("ALTER TABLE {} ENABLE TRIGGER USER").format(name))


def _emptied(db: Connection, schema: str) -> None:
    """Take away what the steps themselves have put into tables: a backup has it, too."""
    names = [sql.Identifier(schema, name) for name in tables(db, schema)]
    db.execute(sql.SQL("TRUNCATE {}").format(sql.SQL(", ").join(names)))


def _loaded(db: Connection, schema: str, parts: Iterator[scripts.Part], progress: Progress) -> Rows:
    """Copy the rows of each table, and let numbers go on behind them; how many rows there are."""
    columns: Mapping[str, list[str]] = dict(db.execute(_COLUMNS, (schema,)).fetchall())
    rows: Rows = {}
    for part in parts:
        progress(f"table {part.table}")
        if part.table in rows or not {*part.columns} <= {*columns.get(part.table, ())}:
            raise Refused(f"its table {part.table} is none of a store, or there twice")
        into = sql.SQL("COPY {} ({}) FROM STDIN").format(
            sql.Identifier(schema, part.table),
            sql.SQL(", ").join(map(sql.Identifier, part.columns)),
        )
        with db.cursor() as cursor:
            with cursor.copy(into) as copy:
                for block in part.rows:
                    copy.write(block)
            rows[part.table] = cursor.rowcount
    if missing := columns.keys() - rows.keys():
        raise Refused(f"it lacks the table {min(missing)}")
    for table, column, sequence in db.execute(_NUMBERED, (schema,)).fetchall():
        db.execute(
            sql.SQL("SELECT setval({}::regclass, coalesce(max({}), 0) + 1, false) FROM {}").format(
                sequence, sql.Identifier(column), sql.Identifier(schema, table)
            )
        )
    return rows
