"""Sessions out of a database of the reference, each with its messages as a stream."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection, Generator, Iterator
from pathlib import Path
from typing import Any, TypeVar

from sessionproof.contract.errors import NotFound, Refused
from sessionproof.contract.message import Json
from sessionproof.reference.arguments import short
from sessionproof.reference.codec import decode, from_json_text, from_value
from sessionproof.reference.copying import on_state, one_state
from sessionproof.reference.decoding import UNREADABLE, damaged
from sessionproof.reference.digest import TEXT, first_changed
from sessionproof.reference.exchange.conversations import FACTS, Conversation, Item
from sessionproof.reference.failures import ERRORS, as_store_error
from sessionproof.reference.files import present
from sessionproof.reference.statements import fetch
from sessionproof.reference.steps import APPLICATION_ID, shipped, version_of

T = TypeVar("T")

_AT_ONCE = 500
"""Messages that are held at a time."""

_SESSION = f"SELECT id, session_id, message_count, {', '.join(FACTS)} FROM sessions"
_STATE = "SELECT key, value FROM state WHERE sid = ? ORDER BY key"
# As ``codec.READ``, without what the store adds to what the client gave.
_MESSAGES = (
    f"SELECT {TEXT}, m.digest, m.seq, m.appended_at_us, m.role, m.content, m.content_json, m.kind, "
    "m.name, m.call_id, m.arguments, m.tokens, m.duration_us, m.created_at_us, m.message_id, "
    "m.metadata FROM messages AS m WHERE m.sid = ? ORDER BY m.seq"
)


def on_database(path: Path, work: Callable[[sqlite3.Connection, Path], T]) -> T:
    """The answer of ``work`` for a directory with sessions.db, or such a file, which is only read.

    ``work`` may be called again. Raises ``Refused`` for what is no database of this release.
    """
    file = present(path)

    def look(db: sqlite3.Connection) -> T:
        db.text_factory = str
        version, last = version_of(db), len(shipped())
        if db.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
            raise Refused(f"{file} is a database of another application: migrate or import it")
        if version > last:
            raise Refused(
                f"{file} has schema version {version}, this release knows {last}: "
                "upgrade sessionproof"
            )
        if version < last:
            raise Refused(
                f"{file} is of an earlier release (schema version {version}, now {last}): "
                "sessionproof maintain upgrades it, as does whoever opens the store"
            )
        return work(db, file)

    try:
        return on_state(file, look)
    except ERRORS as error:
        raise as_store_error(error, path=file, writes=False) from error


def conversations(
    db: sqlite3.Connection,
    path: Path,
    *,
    session_ids: Collection[str] = (),
    owner: str | None = None,
) -> Generator[Conversation]:
    """All sessions in the order in which they were made, those named, or those of an owner.

    All is of one committed state. Raises ``NotFound`` for a session that is named and unknown,
    ``Refused`` for one that cannot be read, and for a message that is not what was written.
    """
    with one_state(db):
        for row in _rows(db, session_ids, owner):
            yield _conversation(db, path, row)


def _rows(
    db: sqlite3.Connection, session_ids: Collection[str], owner: str | None
) -> Iterator[tuple[Any, ...]]:
    if session_ids:
        for name in dict.fromkeys(session_ids):
            found = fetch(db, f"{_SESSION} WHERE session_id = ?", (name,))
            if not found:
                raise NotFound(f"there is no session {short(name)}")
            yield from found
    elif owner is not None:
        yield from fetch(db, f"{_SESSION} WHERE owner = ? ORDER BY id", (owner,))
    else:
        yield from db.execute(f"{_SESSION} ORDER BY id")


def _conversation(db: sqlite3.Connection, path: Path, row: tuple[Any, ...]) -> Conversation:
    sid, key, count, *values = row
    try:
        session_id = from_value(key)
        named = dict(zip(FACTS, map(from_value, values), strict=True))
        named["metadata"] = from_json_text(named["metadata"])
        state: dict[str, Json] = {
            from_value(name): from_json_text(value) for name, value in fetch(db, _STATE, (sid,))
        }
    except UNREADABLE as error:
        raise damaged(path, f"session {sid}", error) from error
    facts = {name: value for name, value in named.items() if value is not None}
    return Conversation(session_id, _items(db, path, sid, session_id), facts, state, count)


def _items(db: sqlite3.Connection, path: Path, sid: int, session_id: str) -> Iterator[Item]:
    rows = db.execute(_MESSAGES, (sid,))
    while some := rows.fetchmany(_AT_ONCE):
        changed = first_changed(some)
        if changed is not None:
            raise Refused(
                f"{path}: message {some[changed][2]} of session {short(session_id)} is not what "
                "was written: restore a backup, or recover the file"
            )
        for _, _, seq, appended_at_us, *row in some:
            try:
                message = decode(row)
            except UNREADABLE as error:
                what = f"message {seq} of session {short(session_id)}"
                raise damaged(path, what, error) from error
            yield Item(message, seq, appended_at_us)
