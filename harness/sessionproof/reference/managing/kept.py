"""What a session manager does to the database: each function is a statement or one transaction.

They are the manager's own beside ``reference.statements``. A function that raises has left nothing
behind, so it may be called again.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from typing import Any

from sessionproof.contract.managing import ManagedSession
from sessionproof.contract.message import Json
from sessionproof.reference import statements
from sessionproof.reference.codec import from_value
from sessionproof.reference.connections import transaction
from sessionproof.reference.digest import session_digest
from sessionproof.reference.lifetime import LATER
from sessionproof.reference.managing.facts import COLUMNS, Row, changed
from sessionproof.reference.statements import SHOWN, TAKES, fetch
from sessionproof.reference.timeouts import Timeouts

BATCH = 100
"""Most sessions that one transaction removes, with their messages: writers wait for no more."""

_FIND = f"SELECT {COLUMNS} FROM sessions WHERE session_id = ?2"
_ALL = f"SELECT {COLUMNS} FROM sessions"
_ACTIVE = f"{_ALL} WHERE {SHOWN.format('?1')} <> 'expired'"
_TOUCH = (
    f"UPDATE sessions SET {LATER}, status = 'active' "
    f"WHERE session_id = ?2 AND {TAKES.format('?1')} RETURNING {COLUMNS}"
)
# A session that is paused or archived stays so.
_CHANGE = (
    f"UPDATE sessions SET {LATER}, metadata = ?3, checksum = ?4, "
    "status = CASE status WHEN 'idle' THEN 'active' ELSE status END WHERE id = ?2"
)
_SUMMED = (
    "tag", "created_at_us", "idle_timeout_us", "hard_deadline_us", "owner", "title", "llm_model",
    "metadata",
)  # fmt: skip
_FIND_TO_CHANGE = (
    f"SELECT id, {', '.join(_SUMMED)}, {SHOWN.format('?1')} FROM sessions WHERE session_id = ?2"
)
_COUNT = "SELECT count(*) FROM sessions"
_DELETE = "DELETE FROM sessions WHERE session_id = ? RETURNING 1"
# By the indexes on what is due, and on what a sweep of the reference store has ended already.
# Sessions that are only to be warned of are due, too, and stay.
_OVER = (
    "SELECT id FROM sessions WHERE due_us <= ?1 AND deadline_us <= ?1 "
    "UNION ALL SELECT id FROM sessions WHERE status = 'expired'"
)
_COUNTS = f"SELECT (SELECT count(*) FROM sessions), (SELECT count(*) FROM ({_OVER}))"
_CLEAN_UP = (
    f"DELETE FROM sessions WHERE id IN (SELECT id FROM ({_OVER}) LIMIT ?2) RETURNING session_id"
)
OVER = f"{_OVER} LIMIT 1"
"""Takes the time; a row when a clean-up has anything to do."""

LAST = "SELECT max(id) FROM sessions"
_CLEAR = (
    "DELETE FROM sessions WHERE id IN "
    "(SELECT id FROM sessions WHERE id <= ? ORDER BY id LIMIT ?) RETURNING id"
)


def find(db: sqlite3.Connection, key: str, now_us: int) -> Row | None:
    """The session, also when it is over; None for an unknown one."""
    return _one(fetch(db, _FIND, (now_us, key)))


def touch(db: sqlite3.Connection, key: str, now_us: int) -> Row | None:
    """An access; None when the session takes none any more. A clean-up comes before, or after."""
    return _one(fetch(db, _TOUCH, (now_us, key)))


def every(db: sqlite3.Connection, now_us: int, *, active: bool) -> list[Row]:
    """All sessions, or those that are not over."""
    return [Row(*row) for row in fetch(db, _ACTIVE if active else _ALL, (now_us,))]


def counts(db: sqlite3.Connection, now_us: int) -> tuple[int, int]:
    """How many are stored, and how many of them are not over."""
    total, over = fetch(db, _COUNTS, (now_us,))[0]
    return total, total - over


def count(db: sqlite3.Connection) -> int:
    """How many are stored."""
    return int(fetch(db, _COUNT, ())[0][0])


def make(
    db: sqlite3.Connection,
    session: ManagedSession,
    limits: Timeouts,
    *,
    shared: bool,
    random: bool,
) -> tuple[Row | None, bool]:
    """Store a new session, but where one of its id is ``shared`` and not over: then that one.

    Its row, or None for the new one; and whether one that was over had to make room. Raises
    ``Conflict`` for an id that is taken. A ``random`` one is looked for by the schema alone.
    """
    key, now_us = session.session_id, session.created_at_us
    facts = {"first_user_message": session.first_user_message, "chat_id": session.chat_id}
    columns = {"metadata": changed(None, facts)}
    if random:
        statements.create(db, key, columns, (), now_us, limits)
        return None, False
    with transaction(db):
        found = find(db, key, now_us)
        if found is not None and not found.is_over and shared:
            return touch(db, key, now_us) or found, False
        made_room = found is not None and found.is_over and delete(db, key)
        statements.create(db, key, columns, (), now_us, limits)
    return None, made_room


def change(db: sqlite3.Connection, key: str, changes: Mapping[str, Json], now_us: int) -> bool:
    """Set facts, which is an access; False for a session that is unknown or over."""
    with transaction(db):
        found = fetch(db, _FIND_TO_CHANGE, (now_us, key))
        if not found or found[0][-1] == "expired":
            return False
        place, *values, _ = found[0]
        kept: dict[str, Any] = dict(zip(_SUMMED, values, strict=True))
        kept["metadata"] = changed(kept["metadata"], changes)
        summed = session_digest(key, kept.pop("tag"), kept.pop("created_at_us"), kept)
        statements.change(db, _CHANGE, (now_us, place, kept["metadata"], summed))
    return True


def delete(db: sqlite3.Connection, key: str) -> bool:
    """Remove a session with all that belongs to it; whether there was one."""
    return bool(fetch(db, _DELETE, (key,)))


def clean_up(db: sqlite3.Connection, now_us: int, size: int = BATCH) -> list[str]:
    """Remove some sessions that are over, at most so many; their ids."""
    return [from_value(name) for (name,) in fetch(db, _CLEAN_UP, (now_us, size))]


def clear(db: sqlite3.Connection, last: int, size: int = BATCH) -> list[int]:
    """Remove some sessions up to this row, the oldest first; their rows."""
    return sorted(row for (row,) in fetch(db, _CLEAR, (last, size)))


def _one(rows: list[tuple[Any, ...]]) -> Row | None:
    return Row(*rows[0]) if rows else None
