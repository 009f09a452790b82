"""The index of words, brought up to what is stored: by a search that finds it behind, or by upkeep.

Deletions and edits take words out at once, by triggers, whoever writes. What came since the last
look is above the mark; what changed below it is listed.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from typing import Any, TypeAlias

from sessionproof.contract.message import Json
from sessionproof.reference.codec import from_value
from sessionproof.reference.connections import transaction
from sessionproof.reference.finding.words import FOLDING, words

Entry: TypeAlias = "tuple[int, str, str]"
"""A row of the index: number, words, tags."""

MOST = 500
"""Messages that are looked at in one transaction: so long others wait for the writer."""

_MOST_CHARACTERS = 500_000

BEHIND = (
    "SELECT mark < (SELECT coalesce(max(id), 0) FROM messages) "
    "OR EXISTS (SELECT 1 FROM search_again) OR folding <> ? FROM search_mark"
)
# Texts as bytes: one that a fault of the disk has left without UTF-8 would end the whole look.
_MESSAGE = (
    "SELECT id, sid, CAST(role AS BLOB), CAST(content AS BLOB), CAST(content_json AS BLOB), "
    "CASE WHEN content IS NULL AND content_json IS NULL THEN CAST(arguments AS BLOB) END "
    "FROM messages"
)
_TITLE = "SELECT id, CAST(title AS BLOB) FROM sessions WHERE"
_ADD = "INSERT INTO search_index (rowid, words, tags) VALUES (?, ?, ?)"
_AGAIN = "SELECT id FROM search_again ORDER BY id LIMIT ?"


def is_behind(db: sqlite3.Connection) -> bool:
    """Whether something is stored that the index has not."""
    row = db.execute(BEHIND, (FOLDING,)).fetchone()
    return row is None or bool(row[0])  # None: a stranger has removed the mark


def mark_of(db: sqlite3.Connection) -> tuple[int, int | None]:
    """Up to which message the index goes, and by which rule; no rule where nobody knows."""
    row: tuple[int, int] | None = db.execute("SELECT mark, folding FROM search_mark").fetchone()
    return row or (0, None)


def catch_up(db: sqlite3.Connection, upto: int) -> tuple[int, bool]:
    """Look at the next of what the index has not, in one transaction.

    Answers how many were looked at, and whether that was all up to this message.
    """
    with transaction(db):
        mark, folding = mark_of(db)
        if folding != FOLDING:
            forget(db)
            mark = 0
        again = [number for (number,) in db.execute(_AGAIN, (MOST,)).fetchall()]
        for number in again:
            db.execute("DELETE FROM search_index WHERE rowid = ?", (number,))
            db.executemany(_ADD, list(_entry(db, number)) if number <= mark else [])
            db.execute("DELETE FROM search_again WHERE id = ?", (number,))
        fresh = list(_bounded(db, mark))
        if fresh:
            db.executemany(_ADD, fresh)
            db.execute("UPDATE search_mark SET mark = ?", (fresh[-1][0],))
    done = len(again) < MOST and (not fresh or fresh[-1][0] >= upto)
    return len(again) + len(fresh), done


def forget(db: sqlite3.Connection) -> None:
    """Within a transaction: an empty index, so that everything is looked at again."""
    (made,) = db.execute("SELECT sql FROM sqlite_schema WHERE name = 'search_index'").fetchone()
    db.execute("DROP TABLE search_index")  # its rows one by one would take as long as to make them
    db.execute(made)
    db.execute(
        "INSERT OR REPLACE INTO search_mark (one, mark, folding) VALUES (1, 0, ?)", (FOLDING,)
    )
    db.execute("DELETE FROM search_again")
    db.execute("INSERT INTO search_again (id) SELECT -id FROM sessions WHERE title IS NOT NULL")


def entries(db: sqlite3.Connection, *, after: int = 0, upto: int = 2**63 - 1) -> Iterator[Entry]:
    """What the index should have of the messages with these numbers, in their order."""
    rows = db.execute(f"{_MESSAGE} WHERE id > ? AND id <= ? ORDER BY id", (after, upto))
    return map(_of_message, rows)


def titles(db: sqlite3.Connection) -> Iterator[Entry]:
    """What the index should have of all titles."""
    rows = db.execute(f"{_TITLE} title IS NOT NULL ORDER BY id DESC")
    return (_of_title(*row) for row in rows)


def text_of(content: bytes | None, content_json: bytes | None, arguments: bytes | None) -> str:
    """The text by which a message is found: the texts inside JSON, one a line."""
    if content is not None:
        return _readable(content)
    for kept in (content_json, arguments):
        if kept is not None:
            try:
                return "\n".join(_texts(json.loads(_readable(kept))))
            except (ValueError, TypeError, RecursionError):  # damaged: reading it says so
                return ""
    return ""


def texts_in(value: Json) -> str:
    """All texts inside a JSON value, one a line."""
    return "\n".join(_texts(value))


def _texts(value: Any) -> Iterator[str]:
    """Iterative, as a message may be nested deeply."""
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, str):
            yield one
        elif isinstance(one, dict):
            waiting += reversed(one.values())
        elif isinstance(one, list | tuple):
            waiting += reversed(one)


def _entry(db: sqlite3.Connection, number: int) -> Iterator[Entry]:
    """What the index should have of one message or title; nothing when it is gone."""
    if number > 0:
        yield from map(_of_message, db.execute(f"{_MESSAGE} WHERE id = ?", (number,)))
    else:
        found = db.execute(f"{_TITLE} id = ? AND title IS NOT NULL", (-number,))
        yield from (_of_title(*row) for row in found)


def _bounded(db: sqlite3.Connection, mark: int) -> Iterator[Entry]:
    """The next messages above the mark, as many as others can wait for."""
    characters = 0
    rows = db.execute(f"{_MESSAGE} WHERE id > ? ORDER BY id LIMIT ?", (mark, MOST))
    for entry in map(_of_message, rows):
        yield entry
        characters += len(entry[1])
        if characters > _MOST_CHARACTERS:
            return


def _of_message(row: tuple[Any, ...]) -> Entry:
    number, sid, role, *texts = row
    tags = f"s{sid}" if role is None else f"s{sid} r{_readable(role)}"
    return number, words(text_of(*texts)), tags


def _of_title(sid: int, title: bytes) -> Entry:
    return -sid, words(_readable(title)), ""


def _readable(text: bytes) -> str:
    """The text of a column; of one that is damaged, what can be read."""
    try:
        return str(from_value(text))
    except UnicodeDecodeError:
        return text.decode(errors="replace")
