"""What the store does to its database. Each function is one statement, or one transaction.

A function that raises has left nothing behind, so it may be called again. Whoever changes more than
one row locks the session's row first: a statement sees what was committed before it began, and only
the next one sees what others committed while it waited.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from sessionproof.contract.errors import Conflict, Expired
from sessionproof.contract.message import Receipt
from sessionproof.reference.codec import COLUMNS, READ, Row, split_id
from sessionproof.reference.postgres.pool import Connection, transaction
from sessionproof.reference.timeouts import Timeouts

_TYPES = {"tokens": "bigint", "duration_us": "bigint", "created_at_us": "bigint"}
_GIVEN = COLUMNS.index("message_id")

_HERE = "text_key(s.session_id) = %s"
# The session is looked up once, so that its messages come in the order of their index.
_HEAD = f"WITH s AS MATERIALIZED (SELECT s.id, s.tag FROM sessions AS s WHERE {_HERE})"
_OF_SESSION = "FROM messages AS m WHERE m.sid = (SELECT id FROM s)"
_TAG = "(SELECT tag FROM s)"
_READ = READ.replace("s.tag", _TAG)

READ_ALL = f"{_HEAD} SELECT {_READ} {_OF_SESSION} ORDER BY m.seq"
READ_LAST = f"{_HEAD} SELECT {_READ} {_OF_SESSION} ORDER BY m.seq DESC LIMIT %s"
READ_PAGE = (
    f"{_HEAD} SELECT {_READ}, {_TAG}, m.seq {_OF_SESSION} AND m.seq > %s ORDER BY m.seq LIMIT %s"
)

_LAST = f"{_HEAD} SELECT m.id, {_READ} {_OF_SESSION} ORDER BY m.seq DESC LIMIT 1"

DEADLINE = "least(s.last_activity_us + s.idle_timeout_us, s.hard_deadline_us)"
TAKES = f"s.status IN ('active', 'idle') AND coalesce({DEADLINE} > %s, true)"
"""SQL that takes the time now: whether a session takes messages."""

SHOWN = (
    f"CASE WHEN s.status IN ('active', 'idle') AND {DEADLINE} <= %s THEN 'expired' "
    "ELSE s.status END"
)
"""SQL that takes the time now: the status, which is expired at once."""

GET = (
    "SELECT s.message_count, s.total_tokens, s.total_duration_us, s.created_at_us, "
    f"s.last_activity_us, {SHOWN}, s.owner, s.title, l.name, s.metadata "
    f"FROM sessions AS s LEFT JOIN llm_models AS l ON l.id = s.llm_model_id WHERE {_HERE}"
)
STATUS = f"SELECT s.id, {SHOWN} FROM sessions AS s WHERE {_HERE} FOR UPDATE"
LOCK = f"SELECT s.id, s.tag FROM sessions AS s WHERE {_HERE} FOR UPDATE"
_THERE = f"SELECT 1 FROM sessions AS s WHERE {_HERE}"
COUNT = f"SELECT s.message_count FROM sessions AS s WHERE {_HERE}"
LIST = "SELECT session_id FROM sessions"
DELETE = f"DELETE FROM sessions AS s WHERE {_HERE}"
GET_STATE = (
    "SELECT t.value FROM sessions AS s JOIN state AS t ON t.sid = s.id "
    f"WHERE {_HERE} AND text_key(t.key) = %s"
)
DELETE_LLM_MODEL = "DELETE FROM llm_models WHERE text_key(name) = %s"
# To update what is there locks it: nobody removes a model that is about to be named.
ADD_LLM_MODEL = (
    "INSERT INTO llm_models (name) VALUES (%s) "
    "ON CONFLICT (text_key(name)) DO UPDATE SET name = excluded.name RETURNING id"
)

_CLEAR = "DELETE FROM messages WHERE sid = %s"
_SET_STATE = (
    "INSERT INTO state (sid, key, value) VALUES (%s, %s, %s) "
    "ON CONFLICT (sid, text_key(key)) DO UPDATE SET value = excluded.value"
)
# Two lookups, as the planner would rather go over the session than use two indexes for one OR.
_FIND_MESSAGE = (
    "SELECT m.id, m.message_id FROM messages AS m "
    "WHERE m.sid = %s AND m.message_id IS NOT NULL AND text_key(m.message_id) = %s "
    "UNION ALL SELECT m.id, m.message_id FROM messages AS m "
    "WHERE m.sid = %s AND m.seq = %s AND m.message_id IS NULL AND %s = %s"
)
_DELETE_MESSAGE = "DELETE FROM messages WHERE id = %s"
_EDIT_MESSAGE = f"UPDATE messages SET {', '.join(f'{name} = %s' for name in COLUMNS)} WHERE id = %s"

_SESSION = f"SELECT s.id, s.next_seq FROM sessions AS s WHERE {_HERE} AND {TAKES} FOR UPDATE OF s"
APPEND_ONE = (
    f"INSERT INTO messages (sid, seq, {', '.join(COLUMNS)}, appended_at_us) "
    f"SELECT f.id, f.next_seq, {', '.join('%s' for _ in COLUMNS)}, %s FROM ({_SESSION}) AS f "
    "RETURNING seq, (SELECT tag FROM sessions WHERE id = sid)"
)
"""Appends one message: its row, the time, the session's key, the time."""

_ARRAYS = ", ".join(f"%s::{_TYPES.get(name, 'text')}[]" for name in COLUMNS)
APPEND_SOME = (
    # As the triggers count the messages of a statement at once where they are told to.
    "WITH c AS MATERIALIZED (SELECT set_config('sessionproof.together', 'on', true)) "
    f"INSERT INTO messages (sid, seq, {', '.join(COLUMNS)}, appended_at_us) "
    f"SELECT f.id, f.next_seq + v.place - 1, {', '.join(f'v.{name}' for name in COLUMNS)}, %s "
    f"FROM c, ({_SESSION}) AS f, "
    f"unnest({_ARRAYS}) WITH ORDINALITY AS v ({', '.join(COLUMNS)}, place) ORDER BY v.place "
    "RETURNING seq, (SELECT tag FROM sessions WHERE id = sid)"
)
"""Appends several: the time, the session's key, the time, an array of each column."""


def key_of(text: str) -> bytes:
    """The SHA-256 of a text, by which it is found; as ``text_key`` in SQL."""
    return hashlib.sha256(text.encode()).digest()


def fetch(db: Connection, sql: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
    """All rows of a statement."""
    return db.execute(sql, values).fetchall()


def locked(db: Connection, sql: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
    """What a statement answers of the session that it locks; empty where there was none.

    The last value is the session's key. Who waits for a session that a restore makes anew finds the
    old row gone, and the new one came after his statement began: then there is one to lock again.
    """
    while True:
        found = fetch(db, sql, values)
        if found or not fetch(db, _THERE, values[-1:]):
            return found


def change(db: Connection, sql: str, values: Sequence[Any]) -> int:
    """Run a statement that answers nothing; how many rows it changed."""
    return db.execute(sql, values).rowcount


def append(
    db: Connection, name: str, rows: Sequence[Row], now_us: int, timeouts: Timeouts | None
) -> Receipt:
    """Add rows to a session, which is created when it is unknown; raises ``Expired``."""
    key = key_of(name)
    added = insert(db, key, rows, now_us)
    if added:
        return receipt(rows, added)
    with transaction(db):
        make_ready(db, name, now_us, timeouts)
        return receipt(rows, insert(db, key, rows, now_us))


def insert(db: Connection, key: bytes, rows: Sequence[Row], now_us: int) -> list[tuple[Any, ...]]:
    """Sequence number and tag of each new row; empty when the session takes none."""
    if len(rows) == 1:
        return fetch(db, APPEND_ONE, (*rows[0], now_us, key, now_us))
    if not rows:
        return []
    columns = [list(column) for column in zip(*rows, strict=True)]
    return sorted(fetch(db, APPEND_SOME, (now_us, key, now_us, *columns)))


def make_ready(db: Connection, name: str, now_us: int, timeouts: Timeouts | None) -> int:
    """Within a transaction: lock the session, made when it is unknown; its row. ``Expired``."""
    while True:  # others may make and remove it meanwhile
        found = fetch(db, STATUS, (now_us, key_of(name)))
        if not found:
            made = make(db, name, {}, now_us, timeouts)
            if made is not None:
                return made
            continue
        sid, status = found[0]
        if status not in ("active", "idle"):
            raise Expired(f"the session is {status} and takes no messages; nothing was stored")
        return int(sid)


def lock(db: Connection, name: str, now_us: int, timeouts: Timeouts | None) -> int:
    """Within a transaction: lock the session whatever its status, made when it is unknown."""
    while True:
        found = fetch(db, LOCK, (key_of(name),))
        made = found[0][0] if found else make(db, name, {}, now_us, timeouts)
        if made is not None:
            return int(made)


def lock_name(db: Connection, key: bytes) -> None:
    """Within a transaction: let nobody else make a session of this name before its end."""
    db.execute("SELECT pg_advisory_xact_lock(%s)", (int.from_bytes(key[:8], signed=True),))


def make(
    db: Connection,
    name: str,
    facts: Mapping[str, Any],
    now_us: int,
    timeouts: Timeouts | None,
) -> int | None:
    """Within a transaction: a new session; its row, None when there is one of this name."""
    lock_name(db, key_of(name))
    columns: dict[str, Any] = {
        "session_id": name,
        "created_at_us": now_us,
        "last_activity_us": now_us,
        "tag": secrets.token_hex(8),
        **_with_model_row(db, facts),
    }
    if timeouts is not None:
        limits = timeouts.columns(now_us)
        columns |= {**limits, "look_at_us": first_look(now_us, limits)}
    marks = ", ".join("%s" for _ in columns)
    made = fetch(
        db,
        f"INSERT INTO sessions ({', '.join(columns)}) VALUES ({marks}) "
        "ON CONFLICT (text_key(session_id)) DO NOTHING RETURNING id",
        tuple(columns.values()),
    )
    return int(made[0][0]) if made else None


def first_look(active_us: int, limits: Mapping[str, int | None]) -> int | None:
    """When a sweep has something to do with an active session of these limits; None: never."""
    idle_us, hard_us, warn_us = (
        limits[name] for name in ("idle_timeout_us", "hard_deadline_us", "warn_us")
    )
    ends = [hard_us] if hard_us is not None else []
    ends += [active_us + idle_us] if idle_us is not None else []
    return min(ends) - (warn_us or 0) if ends else None


def create(
    db: Connection,
    name: str,
    facts: Mapping[str, Any],
    rows: Sequence[Row],
    now_us: int,
    timeouts: Timeouts | None,
) -> None:
    """Make a session with its first rows; raises ``Conflict`` for an id that is taken."""
    with transaction(db):
        if make(db, name, facts, now_us, timeouts) is None:
            raise Conflict("session exists; nothing was stored")
        insert(db, key_of(name), rows, now_us)


def update(db: Connection, name: str, facts: Mapping[str, Any]) -> bool:
    """Set columns of a session; whether there is one."""
    with transaction(db):
        found = locked(db, LOCK, (key_of(name),))
        if found and facts:
            columns = _with_model_row(db, facts)
            settings = ", ".join(f"{column} = %s" for column in columns)
            change(
                db, f"UPDATE sessions SET {settings} WHERE id = %s",
                (*columns.values(), found[0][0]),
            )  # fmt: skip
    return bool(found)


def replace(
    db: Connection, name: str, rows: Sequence[Row], now_us: int, timeouts: Timeouts | None
) -> None:
    """Exchange all rows of a session; raises ``Expired``."""
    with transaction(db):
        if rows:
            sid = make_ready(db, name, now_us, timeouts)
        else:
            found = locked(db, LOCK, (key_of(name),))
            if not found:
                return
            sid = found[0][0]
        change(db, _CLEAR, (sid,))
        insert(db, key_of(name), rows, now_us)


def clear(db: Connection, name: str) -> bool:
    """Remove all rows of a session; whether there is one."""
    with transaction(db):
        found = locked(db, LOCK, (key_of(name),))
        for sid, _ in found:
            change(db, _CLEAR, (sid,))
    return bool(found)


def pop_last(db: Connection, name: str) -> list[tuple[Any, ...]]:
    """Remove the newest row and answer it as ``READ`` would; nothing when there is none."""
    key = key_of(name)
    with transaction(db):
        if not locked(db, LOCK, (key,)):
            return []
        found = fetch(db, _LAST, (key,))
        for row in found:
            change(db, _DELETE_MESSAGE, (row[0],))
    return [row[1:] for row in found]


def delete_message(db: Connection, name: str, message_id: str) -> bool:
    """Remove one row; whether there was one."""
    with transaction(db):
        found = _found_message(db, name, message_id)
        for place, _ in found:
            change(db, _DELETE_MESSAGE, (place,))
    return bool(found)


def edit_message(db: Connection, name: str, message_id: str, row: Row) -> bool:
    """Exchange one row, which keeps its id unless it is given anew; whether there was one."""
    with transaction(db):
        found = _found_message(db, name, message_id)
        for place, own_id in found:
            given = row[_GIVEN]
            whole = (*row[:_GIVEN], own_id if given is None else given, *row[_GIVEN + 1 :])
            change(db, _EDIT_MESSAGE, (*whole, place))
    return bool(found)


def set_state(
    db: Connection,
    name: str,
    pairs: Sequence[tuple[str, str]],
    now_us: int,
    timeouts: Timeouts | None,
) -> None:
    """Set keys of a session, which is created when it is unknown."""
    with transaction(db):
        sid = lock(db, name, now_us, timeouts)
        for key, value in pairs:
            change(db, _SET_STATE, (sid, key, value))


def append_with_state(
    db: Connection,
    name: str,
    rows: Sequence[Row],
    pairs: Sequence[tuple[str, str]],
    now_us: int,
    timeouts: Timeouts | None,
) -> Receipt:
    """Add rows and set keys of a session, which is created when it is unknown; ``Expired``."""
    with transaction(db):
        sid = (make_ready if rows else lock)(db, name, now_us, timeouts)
        added = insert(db, key_of(name), rows, now_us)
        for key, value in pairs:
            change(db, _SET_STATE, (sid, key, value))
    return receipt(rows, added)


def receipt(rows: Sequence[Row], added: Sequence[tuple[Any, ...]]) -> Receipt:
    """What an append of these rows answers."""
    return Receipt(
        tuple(seq for seq, _ in added),
        tuple(
            f"{tag}.{seq}" if row[_GIVEN] is None else str(row[_GIVEN])
            for row, (seq, tag) in zip(rows, added, strict=True)
        ),
    )


def _found_message(db: Connection, name: str, message_id: str) -> list[tuple[Any, ...]]:
    """Within a transaction: row and own id of a message, whose session is locked."""
    session = locked(db, LOCK, (key_of(name),))
    if not session:
        return []
    sid, tag = session[0]
    given_tag, seq = split_id(message_id)
    return fetch(db, _FIND_MESSAGE, (sid, key_of(message_id), sid, seq, tag, given_tag))


def _with_model_row(db: Connection, facts: Mapping[str, Any]) -> dict[str, Any]:
    """The columns of these facts, the model by its row, which is made when it is unknown."""
    columns = {name: value for name, value in facts.items() if name != "llm_model"}
    if "llm_model" in facts:
        model = facts["llm_model"]
        columns["llm_model_id"] = (
            None if model is None else fetch(db, ADD_LLM_MODEL, (model,))[0][0]
        )
    return columns
