"""Whether damage to a file can be noticed at all, by what everybody has: SQLite, and JSON."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

from sessionproof.faults.damage.pages import MAGIC


def noticed(path: Path, before: bytes, *, thorough: bool) -> bool:
    """Whether what everybody has sees damage in a file that was ``before``; it may be written to.

    SQLite sees it when a table cannot be read to its end, or, if ``thorough``, when its integrity
    check fails. JSON, or lines of JSON, see it when they do not parse any longer. Of other files
    nothing is known: False.
    """
    if before.startswith(MAGIC):
        return _by_sqlite(path, thorough=thorough)
    if not _is_json(before):
        return False
    return not _is_json(path.read_bytes())


def _by_sqlite(path: Path, *, thorough: bool) -> bool:
    if not path.stat().st_size:
        return True
    with closing(sqlite3.connect(path)) as connection:
        connection.text_factory = bytes
        try:
            tables = connection.execute(
                "SELECT name FROM sqlite_schema WHERE type = 'table' AND rootpage > 0"
            ).fetchall()
            for (name,) in tables:
                quoted = name.decode("utf-8", "replace").replace('"', '""')
                connection.execute(f'SELECT * FROM "{quoted}"').fetchall()
            if thorough:
                return connection.execute("PRAGMA integrity_check(1)").fetchall() != [(b"ok",)]
        except (sqlite3.Error, UnicodeError, ValueError):
            return True
    return False


def _is_json(data: bytes) -> bool:
    """Whether it is a JSON document, or lines that are each one."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return False
    return _parses(text) or _are_lines(text)


def by_lines(data: bytes) -> bool:
    """Whether it is text whose lines stand for themselves, so that one can be damaged alone.

    A document of JSON is none, also when it has several lines.
    """
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return False
    return not _parses(text) and text.count("\n") > 1 and _are_lines(text)


def is_document(data: bytes) -> bool:
    """Whether it is one document of JSON."""
    try:
        return _parses(data.decode())
    except UnicodeDecodeError:
        return False


def _are_lines(text: str) -> bool:
    """Lines that are JSON from their first bracket on: what stands before it may be a checksum."""
    lines = [line for line in text.split("\n") if line]
    return bool(lines) and all(_parses(line[_beginning(line) :]) for line in lines)


def _beginning(line: str) -> int:
    return min((at for at in (line.find("{"), line.find("[")) if at >= 0), default=0)


def _parses(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True
