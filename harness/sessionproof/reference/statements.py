"""What the store does to its database. Each function is one statement, or one transaction.

A function that raises has left nothing behind, so it may be called again.
"""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, TypeAlias

from sessionproof.contract.errors import Expired, Refused
from sessionproof.contract.message import Receipt
from sessionproof.reference.arguments import no_session, short
from sessionproof.reference.codec import COLUMNS, READ, Row, from_value, lossless, split_id
from sessionproof.reference.connections import transaction
from sessionproof.reference.digest import (
    SESSION_TEXT,
    TEXT,
    digest,
    digest_of,
    first_changed,
    session_digest,
    state_digest,
)
from sessionproof.reference.timeouts import Timeouts

CHUNK = 50
"""Most messages in one statement; larger batches are several statements in a transaction."""

_OF_SESSION = "FROM sessions AS s JOIN messages AS m ON m.sid = s.id WHERE s.session_id = ?"

READ_ALL = f"SELECT {READ} {_OF_SESSION} ORDER BY m.seq"
READ_LAST = f"SELECT {READ} {_OF_SESSION} ORDER BY m.seq DESC LIMIT ?"
READ_PAGE = f"SELECT {READ}, s.tag, m.seq {_OF_SESSION} AND m.seq > ? ORDER BY m.seq LIMIT ?"

COUNTERS = (
    "message_count", "total_tokens", "total_duration_us", "created_at_us", "last_activity_us",
)  # fmt: skip
TAKES = "status IN ('active', 'idle') AND ifnull(deadline_us > {}, 1)"
"""SQL, with the time now in the place of ``{}``: whether a session takes messages."""

SHOWN = (
    "CASE WHEN status IN ('active', 'idle') AND deadline_us <= {} THEN 'expired' ELSE status END"
)
"""SQL, in the same way: the status, which is expired at once, whenever the next sweep comes."""

GET = (
    f"SELECT {', '.join(COUNTERS)}, {SHOWN.format('?')}, owner, title, llm_model, metadata "
    "FROM sessions WHERE session_id = ?"
)
STATUS = f"SELECT {SHOWN.format('?')} FROM sessions WHERE session_id = ?"
COUNT = "SELECT message_count FROM sessions WHERE session_id = ?"
LIST = "SELECT session_id FROM sessions"
DELETE = "DELETE FROM sessions WHERE session_id = ?"
CLEAR = "DELETE FROM messages WHERE sid = (SELECT id FROM sessions WHERE session_id = ?)"
GET_STATE = (
    "SELECT value FROM state WHERE sid = (SELECT id FROM sessions WHERE session_id = ?) AND key = ?"
)
ADD_LLM_MODEL = "INSERT INTO llm_models (name) VALUES (?) ON CONFLICT DO NOTHING"
DELETE_LLM_MODEL = "DELETE FROM llm_models WHERE name = ?"

_SET_STATE = (
    "INSERT INTO state (sid, key, value, checksum) "
    "SELECT id, ?, ?, ? FROM sessions WHERE session_id = ? ON CONFLICT (sid, key) "
    "DO UPDATE SET value = excluded.value, checksum = excluded.checksum RETURNING 1"
)
# The newest message of a session, and one named by its id: given by the client, or tag.seq.
_NEWEST = f"(SELECT m.id {_OF_SESSION} ORDER BY m.seq DESC LIMIT 1)"
_NAMED = (
    "coalesce("
    "(SELECT m.id FROM sessions AS s JOIN messages AS m ON m.sid = s.id"
    " WHERE s.session_id = ? AND m.message_id = ?),"
    "(SELECT m.id FROM sessions AS s JOIN messages AS m ON m.sid = s.id"
    " WHERE s.session_id = ? AND s.tag = ? AND m.seq = ? AND m.message_id IS NULL))"
)
_DELETE_MESSAGE = f"DELETE FROM messages WHERE id = {_NAMED} RETURNING 1"
SET_CHECKSUM = "UPDATE sessions SET checksum = ? WHERE id = ?"
NAME_MESSAGE = "UPDATE messages SET message_id = ?, digest = ? WHERE sid = ? AND seq = ?"
"""For an id that ``is_of`` the session: while numbers are given again, one after the other, the
schema would take it for one that is still to come."""
_STORED = (*COLUMNS, "digest")
_FIND_MESSAGE = f"SELECT id, message_id, appended_at_us FROM messages WHERE id = {_NAMED}"
_EDIT_MESSAGE = f"UPDATE messages SET {', '.join(f'{name} = ?' for name in _STORED)} WHERE id = ?"


Fetch: TypeAlias = Callable[[sqlite3.Connection, str, Sequence[Any]], list[tuple[Any, ...]]]


def fetch(db: sqlite3.Connection, sql: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
    """All rows of a statement; text that UTF-8 cannot express is bound as a BLOB."""
    try:
        return db.execute(sql, values).fetchall()
    except UnicodeEncodeError:
        return fetch(db, sql, lossless(values))
    except sqlite3.OperationalError as error:
        # SQLite loses sight of the tables when another process changes the schema at the moment in
        # which a statement with RETURNING and a trigger into the index is made ready: nothing ran.
        if not str(error).startswith("no such table: "):
            raise
        return db.execute(sql, values).fetchall()


def fetch_verified(
    db: sqlite3.Connection, sql: str, values: Sequence[Any]
) -> list[tuple[Any, ...]]:
    """``fetch`` of messages; raises ``Refused`` for one that is not what was written."""
    sql = sql.replace("SELECT ", f"SELECT {TEXT}, m.digest, m.seq, ", 1)
    rows = fetch(db, sql, values)
    changed = first_changed(rows)
    if changed is not None:
        raise Refused(
            f"message {rows[changed][2]} of session {short(values[0])} is not what was written: "
            "the disk or a program damaged it; restore a backup, or open the store without "
            "check_digests"
        )
    return [row[3:] for row in rows]


def change(db: sqlite3.Connection, sql: str, values: Sequence[Any]) -> None:
    """Run a statement that answers nothing."""
    fetch(db, sql, values)


def append(
    db: sqlite3.Connection,
    key: str,
    rows: Sequence[Row],
    now_us: int,
    timeouts: Timeouts | None,
    *,
    creates: bool = True,
) -> Receipt:
    """Add rows to a session; an unknown one is created, or ``NotFound``. Raises ``Expired``."""
    if len(rows) <= CHUNK:
        added = _insert(db, key, rows, now_us)
        if added:
            return _receipt(rows, added)
    with transaction(db):
        _make_ready(db, key, now_us, timeouts, creates=creates)
        return _receipt(rows, _insert_all(db, key, rows, now_us))


def create(
    db: sqlite3.Connection,
    key: str,
    facts: Mapping[str, Any],
    rows: Sequence[Row],
    now_us: int,
    timeouts: Timeouts | None,
) -> None:
    """Make a session with its first rows; the schema refuses an id that is taken."""
    with transaction(db):
        _make(db, key, facts, now_us, timeouts)
        _insert_all(db, key, rows, now_us)


def replace(
    db: sqlite3.Connection,
    key: str,
    rows: Sequence[Row],
    now_us: int,
    timeouts: Timeouts | None,
) -> None:
    """Exchange all rows of a session; raises ``Expired``."""
    with transaction(db):
        if rows:
            _make_ready(db, key, now_us, timeouts)
        change(db, CLEAR, (key,))
        _insert_all(db, key, rows, now_us)


def update(db: sqlite3.Connection, key: str, facts: Mapping[str, Any]) -> bool:
    """Set columns of a session; whether there is one."""
    settings = ", ".join(f"{name} = ?" for name in facts) or "status = status"
    sql = f"UPDATE sessions SET {settings} WHERE session_id = ? RETURNING id, {SESSION_TEXT}"
    with transaction(db):
        found = fetch(db, sql, (*facts.values(), key))
        for place, summed in found:
            change(db, SET_CHECKSUM, (digest_of(summed), place))
    return bool(found)


def pop_last(db: sqlite3.Connection, key: str, *, look: Fetch = fetch) -> list[tuple[Any, ...]]:
    """Remove the newest row and answer it as ``READ`` would; nothing when there is none."""
    with transaction(db):
        found = look(db, READ_LAST, (key, 1))
        if found:
            change(db, f"DELETE FROM messages WHERE id = {_NEWEST}", (key,))
    return found


def delete_message(db: sqlite3.Connection, key: str, name: str) -> bool:
    """Remove one row; whether there was one."""
    return bool(fetch(db, _DELETE_MESSAGE, (key, name, key, *split_id(name))))


def edit_message(db: sqlite3.Connection, key: str, name: str, row: Row) -> bool:
    """Exchange one row, which keeps its id unless it is given anew; whether there was one."""
    with transaction(db):
        found = fetch(db, _FIND_MESSAGE, (key, name, key, *split_id(name)))
        for place, own_id, appended_at_us in found:
            given = row[_GIVEN]
            whole = (*row[:_GIVEN], own_id if given is None else given, *row[_GIVEN + 1 :])
            change(db, _EDIT_MESSAGE, (*whole, digest(whole, appended_at_us), place))
    return bool(found)


def set_state(
    db: sqlite3.Connection,
    key: str,
    pair: tuple[str, str],
    now_us: int,
    timeouts: Timeouts | None,
) -> None:
    """Set one key of a session, which is created when it is unknown."""
    if fetch(db, _SET_STATE, (*pair, state_digest(*pair), key)):
        return
    with transaction(db):
        if not fetch(db, STATUS, (now_us, key)):
            _make(db, key, {}, now_us, timeouts)
        fetch(db, _SET_STATE, (*pair, state_digest(*pair), key))


def append_with_state(
    db: sqlite3.Connection,
    key: str,
    rows: Sequence[Row],
    pairs: Sequence[tuple[str, str]],
    now_us: int,
    timeouts: Timeouts | None,
) -> Receipt:
    """Add rows and set keys of a session, which is created when it is unknown; ``Expired``."""
    with transaction(db):
        added = _insert_all(db, key, rows, now_us)
        if not added and (rows or not fetch(db, STATUS, (now_us, key))):
            _make_ready(db, key, now_us, timeouts)
            added = _insert_all(db, key, rows, now_us)
        for pair in pairs:
            fetch(db, _SET_STATE, (*pair, state_digest(*pair), key))
    return _receipt(rows, added)


def is_of(tag: str, name: object) -> bool:
    """Whether an id that a client has given has the form of those that the session gives."""
    return type(name) is str and name.startswith(f"{tag}.")


def _make_ready(
    db: sqlite3.Connection,
    key: str,
    now_us: int,
    timeouts: Timeouts | None,
    *,
    creates: bool = True,
) -> None:
    """See within a transaction that the session is there and takes messages."""
    found = fetch(db, STATUS, (now_us, key))
    if not found and not creates:
        raise no_session(key)
    if not found:
        _make(db, key, {}, now_us, timeouts)
    elif found[0][0] not in ("active", "idle"):
        raise Expired(f"the session is {found[0][0]} and takes no messages; nothing was stored")


def _make(
    db: sqlite3.Connection,
    key: str,
    facts: Mapping[str, Any],
    now_us: int,
    timeouts: Timeouts | None,
) -> None:
    if timeouts is not None:
        facts = {**facts, **timeouts.columns(now_us)}
    columns = ["session_id", "created_at_us", "last_activity_us", "tag", "checksum", *facts]
    marks = ", ".join("?" for _ in columns)
    sql = f"INSERT INTO sessions ({', '.join(columns)}) VALUES ({marks})"
    tag = secrets.token_hex(8)
    summed = session_digest(key, tag, now_us, facts)
    change(db, sql, (key, now_us, now_us, tag, summed, *facts.values()))


def _insert_all(
    db: sqlite3.Connection, key: str, rows: Sequence[Row], now_us: int
) -> list[tuple[Any, ...]]:
    added = []
    for start in range(0, len(rows), CHUNK):
        added += _insert(db, key, rows[start : start + CHUNK], now_us)
    return added


def _insert(
    db: sqlite3.Connection, key: str, rows: Sequence[Row], now_us: int
) -> list[tuple[Any, ...]]:
    """Sequence number and tag of each new row; empty when the session takes none."""
    if len(rows) == 1:
        return fetch(db, INSERT_ONE, values_of_one(rows[0], now_us, key))
    values = [value for row in rows for value in (*row, digest(row, now_us))]
    return sorted(fetch(db, _insertion(len(rows)), (now_us, *values, key, now_us)))


def values_of_one(row: Row, now_us: int, key: str) -> tuple[Any, ...]:
    """What ``INSERT_ONE`` takes."""
    return (*row, digest(row, now_us), now_us, key, now_us)


@cache
def _insertion(number: int) -> str:
    """The statement that appends so many rows: the session's next numbers in one step."""
    columns = ", ".join(_STORED)
    marks = ", ".join("?" for _ in _STORED)
    answer = "RETURNING seq, (SELECT tag FROM sessions WHERE id = sid)"
    if number == 1:
        return (
            f"INSERT INTO messages (sid, seq, {columns}, appended_at_us) "
            f"SELECT id, next_seq, {marks}, ? FROM sessions "
            f"WHERE session_id = ? AND {TAKES.format('?')} {answer}"
        )
    rows = ", ".join(f"({offset}, {marks})" for offset in range(number))
    taken = ", ".join(f"v.column{column + 2}" for column in range(len(_STORED)))
    return (
        f"INSERT INTO messages (sid, seq, appended_at_us, {columns}) "
        f"SELECT s.id, s.next_seq + v.column1, ?, {taken} "
        f"FROM sessions AS s, (VALUES {rows}) AS v "
        f"WHERE s.session_id = ? AND {TAKES.format('?')} {answer}"
    )


INSERT_ONE = _insertion(1)
"""Appends one message by its ``values_of_one``; answers number and tag."""

_GIVEN = COLUMNS.index("message_id")


def _receipt(rows: Sequence[Row], added: Sequence[tuple[Any, ...]]) -> Receipt:
    if len(rows) == 1:  # by far the most frequent
        seq, tag = added[0]
        given = rows[0][_GIVEN]
        return Receipt((seq,), (f"{tag}.{seq}" if given is None else from_value(given),))
    return Receipt(
        tuple(seq for seq, _ in added),
        tuple(
            f"{tag}.{seq}" if row[_GIVEN] is None else from_value(row[_GIVEN])
            for row, (seq, tag) in zip(rows, added, strict=True)
        ),
    )
