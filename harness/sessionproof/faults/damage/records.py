"""Single records that are damaged: a line of a file, a row of a table, a document of many."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from random import Random  # noqa: TID251 - the type alone

from sessionproof.faults.damage.noticing import by_lines, is_document

InFile = Callable[[Path, str, Sequence[bytes], Random], "Hit | None"]
"""Damages a record in a file below a folder, one in which some of the tokens are."""

_TORN = 20  # bytes
_GARBAGE = (b"\xff\xfe\x80\x00\x17", b"\xfe\xff\x00\x80\x01", b"\x80\x81\xff\x07\x00")
_NO_TEXT = (  # none of them is text, nor any of JSON: the first that the column takes
    "CAST(X'FFFE8017' AS TEXT)",
    "X'FFFE8017'",
)


@dataclass(frozen=True, kw_only=True)
class Hit:
    """A record that was damaged: in which file, and the tokens of the messages that it had."""

    file: str
    words: str
    tokens: frozenset[bytes]


def torn_line(folder: Path, file: str, tokens: Sequence[bytes], _: Random) -> Hit | None:
    """Cut the last 20 bytes of a file of lines, fewer of a shorter line."""
    path = folder / file
    data = path.read_bytes()
    if not by_lines(data):
        return None
    start = data.rstrip(b"\n").rfind(b"\n") + 1
    hit = _within(data[start:], tokens)
    if not hit:
        return None
    cut = min(_TORN, (len(data) - start) // 2 + 1)
    path.write_bytes(data[:-cut])
    return Hit(file=file, words=f"its last {cut} bytes cut", tokens=hit)


def garbage_line(folder: Path, file: str, tokens: Sequence[bytes], generator: Random) -> Hit | None:
    """Put bytes that are no text in the place of a line in the middle."""
    path = folder / file
    data = path.read_bytes()
    if not by_lines(data):
        return None
    lines = data.split(b"\n")
    places = [at for at, line in enumerate(lines) if _within(line, tokens)][1:-1]
    if not places:
        return None
    at = generator.choice(places)
    hit = _within(lines[at], tokens)
    lines[at] = generator.choice(_GARBAGE)
    path.write_bytes(b"\n".join(lines))
    return Hit(file=file, words=f"line {at + 1} replaced by bytes that are no text", tokens=hit)


def torn_document(folder: Path, file: str, tokens: Sequence[bytes], _: Random) -> Hit | None:
    """Cut the last 20 bytes of a document of JSON."""
    path = folder / file
    data = path.read_bytes()
    hit = _within(data, tokens)
    if not is_document(data) or not hit or len(data) <= _TORN:
        return None
    path.write_bytes(data[:-_TORN])
    return Hit(file=file, words=f"its last {_TORN} bytes cut", tokens=hit)


def torn_end(
    folder: Path, file: str, tokens: Sequence[bytes], _: Random, *, together: int
) -> Hit | None:
    """Cut the last 20 bytes of a file of records that is neither text by lines nor a document.

    ``together`` is how many messages one record may hold: the last so many are the record's.
    """
    path = folder / file
    data = path.read_bytes()
    found = sorted(_within(data, tokens), key=data.rfind)
    if not found or by_lines(data) or is_document(data):
        return None
    cut = min(_TORN, (len(data) - data.rfind(found[-1])) // 2)
    path.write_bytes(data[:-cut])
    return Hit(file=file, words=f"its last {cut} bytes cut", tokens=frozenset(found[-together:]))


def garbage_in_document(
    folder: Path, file: str, tokens: Sequence[bytes], generator: Random
) -> Hit | None:
    """Put bytes that are no text into the text of one message in a document of JSON."""
    path = folder / file
    data = path.read_bytes()
    found = sorted(_within(data, tokens), key=data.find)
    if not found or not is_document(data):
        return None
    token = generator.choice(found)
    garbage = generator.choice(_GARBAGE)
    path.write_bytes(data.replace(token, garbage.ljust(len(token), b"\xff")))
    return Hit(
        file=file, words="a message's text replaced by bytes that are no text",
        tokens=frozenset({token}),
    )  # fmt: skip


def garbage_row(path: Path, table: str, token: bytes, *, file: str) -> Hit | None:
    """Make the text of one row, the one with the token, something that is no text.

    By plain SQLite, past the constraints; triggers are taken away and put back as they were.
    """
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.text_factory = bytes
        connection.execute("PRAGMA ignore_check_constraints = ON")
        column = _column_with(connection, table, token)
        if column is None or not _spoil(connection, table, column, token):
            return None
    words = f"{column} of a row of {table} replaced by bytes that are no text"
    return Hit(file=file, words=words, tokens=frozenset({token}))


def _column_with(connection: sqlite3.Connection, table: str, token: bytes) -> str | None:
    """The column in which the token stands, in one row alone."""
    columns = connection.execute(f"PRAGMA table_info({_quoted(table)})").fetchall()
    for _, name, *_ in columns:
        where = f"instr(CAST({_quoted(name.decode())} AS BLOB), ?)"
        query = f"SELECT count(*) FROM {_quoted(table)} WHERE {where}"
        if connection.execute(query, [token]).fetchone() == (1,):
            return str(name.decode())
    return None


def _spoil(connection: sqlite3.Connection, table: str, column: str, token: bytes) -> bool:
    triggers = connection.execute(
        "SELECT name, sql FROM sqlite_schema WHERE type = 'trigger' AND tbl_name = ?", [table]
    ).fetchall()
    named = _quoted(column)
    for bad in _NO_TEXT:
        connection.execute("BEGIN IMMEDIATE")
        try:
            for name, _ in triggers:
                connection.execute(f"DROP TRIGGER {_quoted(name.decode())}")
            connection.execute(
                f"UPDATE {_quoted(table)} SET {named} = {bad} "
                f"WHERE instr(CAST({named} AS BLOB), ?)",
                [token],
            )
            for _, sql in triggers:
                connection.execute(sql.decode())
            connection.execute("COMMIT")
        except sqlite3.Error:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
        else:
            return True
    return False


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _within(data: bytes, tokens: Sequence[bytes]) -> frozenset[bytes]:
    return frozenset(token for token in tokens if token in data)
