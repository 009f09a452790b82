"""Looking at one session: its numbers and counters, its rows' own rules, digests, indexes."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

from sessionproof.audit.sqltext import checks
from sessionproof.contract.upkeep import Verified
from sessionproof.reference.codec import lossless
from sessionproof.reference.digest import (
    SESSION_TEXT,
    SNAPSHOT_TEXT,
    STATE_TEXT,
    TEXT,
    add_function,
)
from sessionproof.reference.failures import ERRORS, is_damage, one_line

_NUMBERS_MAX = 5
_SESSION = (
    "SELECT id, message_count, total_tokens, total_duration_us, next_seq FROM sessions "
    "WHERE session_id = ?"
)
_REAL = (
    "SELECT COUNT(*), coalesce(SUM(tokens), 0), coalesce(SUM(duration_us), 0), "
    "coalesce(MAX(seq), 0) FROM messages WHERE sid = ?"
)
_CHANGED = (
    "SELECT m.seq FROM messages AS m WHERE m.sid = ? AND m.digest IS NOT NULL "
    f"AND NOT same_digest({TEXT}, CAST(m.digest AS BLOB)) ORDER BY m.seq"
)
_CHANGED_FACTS = (
    "SELECT 1 FROM sessions WHERE id = ? AND checksum IS NOT NULL "
    f"AND NOT same_digest({SESSION_TEXT}, CAST(checksum AS BLOB))"
)
_CHANGED_STATE = (
    "SELECT COUNT(*) FROM state AS v WHERE v.sid = ? AND v.checksum IS NOT NULL "
    f"AND NOT same_digest({STATE_TEXT}, CAST(v.checksum AS BLOB))"
)
_CHANGED_SNAPSHOTS = (
    "SELECT COUNT(*) FROM snapshots AS p WHERE p.session_id = ? "
    f"AND NOT same_digest({SNAPSHOT_TEXT}, p.digest)"
)
# The numbers that the index has, and the row does not: such a row is served in a wrong place.
_MISPLACED = (
    "SELECT i.seq FROM (SELECT id, seq FROM messages INDEXED BY sqlite_autoindex_messages_1 "
    "WHERE sid = ?1) AS i LEFT JOIN messages AS m NOT INDEXED ON m.id = i.id "
    "WHERE m.seq IS NOT i.seq OR m.sid IS NOT ?1 ORDER BY i.seq"
)
_KEYS = {"sessions": "id", "messages": "sid", "state": "sid"}


def verified(connection: sqlite3.Connection, session_id: str) -> Verified:
    """What is wrong with one session, as the connection sees it; nothing with an unknown one."""
    add_function(connection)
    try:
        return Verified(tuple(_problems(connection, session_id)))
    except ERRORS as error:
        if not is_damage(error):
            raise
        return Verified((one_line(f"the session cannot be read: {error}"),))


def _problems(db: sqlite3.Connection, session_id: str) -> Iterator[str]:
    row = db.execute(_SESSION, lossless([session_id])).fetchone()
    if row is None:
        return
    sid, *kept, following = row
    *real, highest = db.execute(_REAL, (sid,)).fetchone()
    names = ("message_count", "total_tokens", "total_duration_us")
    for name, value, computed in zip(names, kept, real, strict=True):
        if value != computed:
            yield f"{name} is {value}, its messages give {computed}"
    if not (isinstance(following, int) and isinstance(highest, int) and following > highest):
        yield f"the next number is {following}, the highest is {highest}"
    if isinstance(kept[0], int) and kept[0] > real[0]:
        yield f"{kept[0] - real[0]} messages are missing"
    for what, sql in (
        ("is not what was written", _CHANGED),
        ("is not where its index says", _MISPLACED),
    ):
        numbers = [str(number) for (number,) in db.execute(sql, (sid,)).fetchall()]
        if numbers:
            yield f"message {_some(numbers)} {what}"
    if db.execute(_CHANGED_FACTS, (sid,)).fetchone():
        yield "what is kept of the session is not what was written"
    (values,) = db.execute(_CHANGED_STATE, (sid,)).fetchone()
    if values:
        yield f"{values} values of its state are not what was written"
    (taken,) = db.execute(_CHANGED_SNAPSHOTS, lossless([session_id])).fetchone()
    if taken:
        yield f"{taken} of its snapshots are not what was written"
    yield from _broken(db, sid)


def _broken(db: sqlite3.Connection, sid: int) -> Iterator[str]:
    """The CHECKs of tables that rows of the session break."""
    for table, key in _KEYS.items():
        (sql,) = db.execute(
            "SELECT sql FROM sqlite_schema WHERE type = 'table' AND name = ?", (table,)
        ).fetchone()
        rules = " AND ".join(f"({rule})" for rule in checks(sql))
        (number,) = db.execute(
            f"SELECT COUNT(*) FROM {table} WHERE {key} = ? AND NOT ({rules})", (sid,)
        ).fetchone()
        if number:
            yield f"{number} rows of {table} break a rule of their table"


def _some(numbers: list[str]) -> str:
    more = len(numbers) - _NUMBERS_MAX
    return ", ".join(numbers[:_NUMBERS_MAX]) + (f" and {more} more" if more > 0 else "")
