"""Snapshots as rows: taken, found, removed, and read back only if they are what was written."""

from __future__ import annotations

import secrets
import sqlite3
from dataclasses import dataclass
from typing import Any

from sessionproof.contract.errors import NotFound, Refused
from sessionproof.contract.snapshots import SnapshotInfo
from sessionproof.reference.arguments import short
from sessionproof.reference.codec import from_value
from sessionproof.reference.connections import transaction
from sessionproof.reference.digest import snapshot_digest
from sessionproof.reference.moments.contents import Contents, Key, gather_named, packed, unpacked
from sessionproof.reference.statements import fetch

CHECKPOINT, RESTORE = "checkpoint", "restore"
REPEATED = {"warning": 5, "expiry": 5}
"""Kinds that a session may come to again and again, with how many of each are kept of it."""

_FACTS = "snapshot_id, session_id, kind, reason, taken_at_us, message_count"
_OF_ALL = f"SELECT {_FACTS} FROM snapshots ORDER BY id DESC"
_OF_SESSION = f"SELECT {_FACTS} FROM snapshots WHERE session_id = ? ORDER BY id DESC"
_ONE = f"SELECT {_FACTS}, body, digest FROM snapshots WHERE snapshot_id = ?"
_PUT = f"INSERT INTO snapshots ({_FACTS}, body, digest) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
_REMOVE = "DELETE FROM snapshots WHERE snapshot_id = ? RETURNING 1"
_REMOVE_OLD = (
    "DELETE FROM snapshots WHERE id IN (SELECT id FROM snapshots "
    "WHERE session_id = ? AND kind = ? ORDER BY id DESC LIMIT -1 OFFSET ?)"
)


@dataclass(frozen=True, slots=True)
class Taken:
    """A snapshot: what its row says, and all that belonged to its session."""

    info: SnapshotInfo
    contents: Contents


Row = tuple[Any, ...]
"""A snapshot as the table has it: facts, body, digest."""


def take(
    db: sqlite3.Connection, key: Key, kind: str, now_us: int, *, reason: str | None = None
) -> str | None:
    """Keep a session as it is now, within the transaction under way; None when there is none.

    Of the kinds in ``REPEATED``, older snapshots of the session are removed beyond that number.
    """
    with transaction(db):
        contents = gather_named(db, key)
        if contents is None:
            return None
        return put(db, row_of(contents, kind, now_us, reason), keep=REPEATED.get(kind))


def row_of(contents: Contents, kind: str, now_us: int, reason: str | None) -> Row:
    """The row of a new snapshot."""
    name, session = secrets.token_hex(16), contents.facts["session_id"]
    kept_reason = None if reason is None else _storable(reason)
    number = len(contents.messages.values)
    facts = (name, session, kind, kept_reason, now_us, number, packed(contents))
    return (*facts, snapshot_digest(facts))


def put(db: sqlite3.Connection, row: Row, *, keep: int | None) -> str:
    """Store a snapshot, and remove older ones of its session and kind beyond ``keep``; its id."""
    with transaction(db):
        db.execute(_PUT, row)
        if keep is not None:
            _, session, kind, *_ = row
            db.execute(_REMOVE_OLD, (session, kind, keep))
    return str(row[0])


def listed(db: sqlite3.Connection, key: str | None) -> list[Row]:
    """The facts of a session's snapshots, or of all, newest first."""
    return fetch(db, _OF_ALL, ()) if key is None else fetch(db, _OF_SESSION, (key,))


def info_of(row: Row) -> SnapshotInfo:
    """The facts of a row as they are answered."""
    name, session, kind, reason, taken_at_us, number = row
    return SnapshotInfo(
        snapshot_id=name, session_id=from_value(session), kind=kind, reason=from_value(reason),
        taken_at_us=taken_at_us, message_count=number,
    )  # fmt: skip


def found(db: sqlite3.Connection, snapshot_id: str) -> Row:
    """The row of a snapshot; raises ``NotFound``."""
    rows = fetch(db, _ONE, (snapshot_id,))
    if not rows:
        raise no_snapshot(snapshot_id)
    return rows[0]


def opened(row: Row) -> Taken:
    """The snapshot of a row; raises ``Refused`` for one that is not what was written."""
    *facts, body, digest = row
    if snapshot_digest((*facts, body)) != digest:
        raise _damaged(row, "its digest is wrong")
    try:
        return Taken(info_of(tuple(facts)), unpacked(body))
    except ValueError as error:
        raise _damaged(row, str(error)) from error


def removed(db: sqlite3.Connection, snapshot_id: str) -> bool:
    """Remove a snapshot; whether there was one."""
    return bool(fetch(db, _REMOVE, (snapshot_id,)))


def no_snapshot(snapshot_id: str) -> NotFound:
    """The error for a snapshot that is not there."""
    return NotFound(f"there is no snapshot {short(snapshot_id)}")


def _storable(text: str) -> str | bytes:
    """Text that UTF-8 cannot express as bytes, as in every column of text."""
    raw = text.encode("utf-8", "surrogatepass")
    try:
        raw.decode()
    except UnicodeDecodeError:
        return raw
    return text


def _damaged(row: Row, why: str) -> Refused:
    return Refused(
        f"snapshot {row[0]} is not what was written ({why}): the disk or a program damaged it; "
        "take another one, or restore a backup"
    )
