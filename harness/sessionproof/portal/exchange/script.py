"""A portal as a script of SQL, which is told from one that was cut or changed.

The script is one transaction with an ``INSERT`` for each row, then what messages do not make by
themselves: the status, the next number and the time of change of conversations. Its last line is a
comment with the numbers of rows and a digest of all that is before it. Any client of SQLite or
PostgreSQL can run it on new tables. ``load_sql`` does not: it reads the rows out of it, and takes
no other statement than these two.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any, BinaryIO

from sqlalchemy.orm import Session

from sessionproof.contract.errors import Refused, StoreError
from sessionproof.portal.database import Database
from sessionproof.portal.exchange.places import new_file, place_of
from sessionproof.portal.exchange.rows import (
    TABLES,
    Row,
    Value,
    add,
    as_new,
    columns,
    later,
    parts,
    rows_of,
    settle,
    text_of,
    value_of,
)

_FIRST = "-- The rows of a portal of sessionproof, form 1.\n"
_LAST = re.compile(rb"-- Rows: ([a-z_0-9, ]*); SHA-256 of all lines before: ([0-9a-f]{64})\n")

_LITERAL = r"NULL|-?[0-9]{1,19}|'[^']*(?:''[^']*)*'"
_SOME = f"(?:{_LITERAL})(?:, (?:{_LITERAL}))*"
_NAMED = re.compile(rf"(\w+) = ({_LITERAL})")
_INSERT = re.compile(rf"INSERT INTO (\w+) \(([\w, ]+)\) VALUES \(({_SOME})\);\n")
_SET = rf"\w+ = (?:{_LITERAL})(?:, \w+ = (?:{_LITERAL}))*"
_UPDATE = re.compile(rf"UPDATE conversations SET ({_SET}) WHERE id = ({_LITERAL});\n")
_SETTLED = frozenset({"status", "next_seq", "updated_at_us"})


@dataclass(slots=True)
class _Writer:
    """Writes text, and keeps its digest."""

    file: BinaryIO
    digest: Any = field(default_factory=hashlib.sha256)

    def put(self, text: str) -> None:
        data = text.encode()
        self.digest.update(data)
        self.file.write(data)


@dataclass(frozen=True, slots=True)
class _Statement:
    """A row of a table to be stored, or a conversation's change, with its ``id``."""

    table: str
    row: Row
    changes: bool

    @property
    def kind(self) -> tuple[object, ...]:
        """Statements of one kind are carried out together."""
        return self.table, self.changes, *self.row


def dump_sql(database: Database, path: os.PathLike[str] | str) -> dict[str, int]:
    """Write all rows into a new file, as they are at one moment; how many of each table.

    The file is there when it is whole, and not before. Raises ``Refused``.
    """

    def work(session: Session) -> dict[str, int]:
        with part.open("wb") as file:
            return _write(session, _Writer(file))

    with new_file(place_of(path)) as part:
        return database.moment(work)


def load_sql(database: Database, path: os.PathLike[str] | str) -> dict[str, int]:
    """Store the rows of a script of ``dump_sql``, from whichever database, beside what is there.

    Answers the rows of each table. All of it is stored or nothing: raises ``Refused`` for a script
    that was cut or changed, ``Conflict`` where a row is there already.
    """
    place = place_of(path)
    try:
        with place.open("rb") as file:
            told = _require_whole(place, file)
            return database.write(partial(_load, path=place, file=file, told=told))
    except OSError as error:
        raise Refused(f"{place} cannot be read: {error.strerror or error}") from error


def _write(session: Session, to: _Writer) -> dict[str, int]:
    to.put(f"{_FIRST}BEGIN;\n")
    written = dict.fromkeys(TABLES, 0)
    for table in TABLES:
        for row in rows_of(session, table):
            new = as_new(row) if table == "conversations" else row
            values = ", ".join(map(_literal, new.values()))
            to.put(f"INSERT INTO {table} ({', '.join(new)}) VALUES ({values});\n")
            written[table] += 1
    for row in rows_of(session, "conversations"):
        for step in later(row):
            changes = ", ".join(f"{name} = {_literal(value)}" for name, value in step.items())
            to.put(f"UPDATE conversations SET {changes} WHERE id = {_literal(row['id'])};\n")
    to.put("COMMIT;\n")
    digest = to.digest.hexdigest()
    to.put(f"-- Rows: {_numbers(written)}; SHA-256 of all lines before: {digest}\n")
    return written


def _numbers(rows: Mapping[str, int]) -> str:
    return ", ".join(f"{table} {number}" for table, number in rows.items())


def _literal(value: Value) -> str:
    written = text_of(value)
    if written is None:
        return "NULL"
    if isinstance(written, int):
        return str(written)
    return "'" + written.replace("'", "''") + "'"


def _require_whole(path: Path, file: BinaryIO) -> str:
    """See that the last line is the digest of all others; answers the numbers of rows in it."""
    digest, last = hashlib.sha256(), b""
    for line in file:
        digest.update(last)
        last = line
    found = _LAST.fullmatch(last)
    if found is None:
        raise Refused(f"{path} has no end: it is no script of a portal, or was cut; make it anew")
    if found[2].decode() != digest.hexdigest():
        raise Refused(f"{path} was changed or damaged after it was written; make it anew")
    return found[1].decode()


def _load(session: Session, *, path: Path, file: BinaryIO, told: str) -> dict[str, int]:
    file.seek(0)  # the work may be done again
    stored = dict.fromkeys(TABLES, 0)
    for _, group in groupby(_statements(path, file), lambda one: one.kind):
        for part in parts(group):
            rows = [one.row for one in part]
            if part[0].changes:
                settle(session, rows)
            else:
                stored[part[0].table] += add(session, part[0].table, rows)
    if _numbers(stored) != told:
        raise Refused(f"{path} has {_numbers(stored)}, and says {told}; nothing was stored")
    return stored


def _statements(path: Path, file: BinaryIO) -> Iterator[_Statement]:
    """The statements between the first line and the last; a text may go over many lines."""
    begun, lines, within = 1, list[bytes](), False
    for number, line in enumerate(file, 1):
        lines.append(line)
        within ^= line.count(b"'") % 2 == 1
        if within:
            continue
        text = b"".join(lines).decode()
        if text not in (_FIRST, "BEGIN;\n", "COMMIT;\n") and not text.startswith("-- Rows: "):
            yield _parsed(f"{path}, line {begun}", text)
        begun, lines = number + 1, []


def _parsed(where: str, text: str) -> _Statement:
    found = _INSERT.fullmatch(text)
    if found is not None and found[1] in TABLES:
        names, literals = found[2].split(", "), re.findall(_LITERAL, found[3])
        if len(names) == len(literals):
            values = dict(zip(names, literals, strict=True))
            return _Statement(found[1], _row(where, found[1], values), changes=False)
    found = _UPDATE.fullmatch(text)
    if found is not None:
        changes = dict(_NAMED.findall(found[1]))
        if changes.keys() <= _SETTLED:
            row = _row(where, "conversations", {**changes, "id": found[2]})
            return _Statement("conversations", row, changes=True)
    raise Refused(f"{where}: a statement that no script of a portal has; nothing was stored")


def _row(where: str, table: str, literals: Mapping[str, str]) -> Row:
    known, row = columns(table), {}
    for name, literal in literals.items():
        if name not in known:
            raise Refused(f"{where}: {table} have no column {name}; nothing was stored")
        try:
            row[name] = value_of(known[name], _value(literal))
        except (ValueError, RecursionError, StoreError) as error:
            raise Refused(f"{where}: {name}: {error}; nothing was stored") from error
    return row


def _value(literal: str) -> str | int | None:
    if literal == "NULL":
        return None
    if literal.startswith("'"):
        return literal[1:-1].replace("''", "'")
    return int(literal)
