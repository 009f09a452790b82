"""Snapshots of sessions: methods of ``PostgresStore``; their form is that of ``moments``."""

from __future__ import annotations

import builtins
import json
import secrets
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from psycopg.rows import dict_row

from sessionproof.contract.errors import NotRepresentable, Refused
from sessionproof.contract.snapshots import SnapshotInfo
from sessionproof.reference.arguments import no_session, whole
from sessionproof.reference.codec import checked_text
from sessionproof.reference.moments import keeping
from sessionproof.reference.moments.contents import Contents, Rows
from sessionproof.reference.moments.restoring import newer_than, own_id, reason_of, refused
from sessionproof.reference.moments.showing import Difference, Moment, difference, moment
from sessionproof.reference.postgres.pool import Connection, one_moment, transaction
from sessionproof.reference.postgres.statements import (
    ADD_LLM_MODEL,
    LOCK,
    change,
    fetch,
    key_of,
    lock_name,
)

if TYPE_CHECKING:
    from sessionproof.reference.postgres.store import PostgresStore

_ROW_NUMBERS = ("id", "sid", "llm_model_id")  # of no meaning elsewhere
_MADE = ("session_id", "tag", "next_seq", "message_count", "total_tokens", "total_duration_us")
"""What a session that is made again has by itself, or by its messages."""

_FACTS = "snapshot_id, session_id, kind, reason, taken_at_us, message_count"
_OF_ALL = f"SELECT {_FACTS} FROM snapshots ORDER BY id DESC"
_OF_SESSION = f"SELECT {_FACTS} FROM snapshots WHERE text_key(session_id) = %s ORDER BY id DESC"
_ONE = f"SELECT {_FACTS}, body, digest FROM snapshots WHERE snapshot_id = %s"
_PUT = f"INSERT INTO snapshots ({_FACTS}, body, digest) VALUES (%s, %s, %s, %s, %s, %s, %s, %s)"
_REMOVE = "DELETE FROM snapshots WHERE snapshot_id = %s"
_REMOVE_OLD = (
    "DELETE FROM snapshots WHERE id IN (SELECT id FROM snapshots "
    "WHERE text_key(session_id) = %s AND kind = %s ORDER BY id DESC OFFSET %s)"
)
# Two that keep the same number at once would each miss the other's. The session is locked before,
# as it is by those who take a snapshot of what they change.
_HELD = "SELECT FROM sessions WHERE text_key(session_id) = %s FOR KEY SHARE"
_ONE_BY_ONE = "SELECT pg_advisory_xact_lock(1397641298, %s::int)"

_FIND = "SELECT s.id FROM sessions AS s WHERE text_key(s.session_id) = %s"
_SESSION = (
    "SELECT s.*, l.name AS llm_model FROM sessions AS s "
    "LEFT JOIN llm_models AS l ON l.id = s.llm_model_id WHERE s.id = %s"
)
_MESSAGES = "SELECT * FROM messages WHERE sid = %s ORDER BY seq"
_STATE = 'SELECT * FROM state WHERE sid = %s ORDER BY key COLLATE "C"'
_MAKE = (
    "INSERT INTO sessions (session_id, tag, created_at_us, last_activity_us) "
    "VALUES (%s, %s, %s, %s) RETURNING id"
)
_TOGETHER = "SELECT set_config('sessionproof.together', 'on', true)"
_NAME_MESSAGE = "UPDATE messages SET message_id = %s WHERE sid = %s AND seq = %s"


def snapshot(
    store: PostgresStore,
    session_id: str,
    *,
    reason: str | None = None,
    keep: int | None = None,
) -> str:
    """Keep the session as it is now, with all that belongs to it; answers the snapshot's id.

    With ``keep``, older snapshots that were asked for are removed beyond that number. Writers go
    on meanwhile. Raises ``NotFound`` for an unknown session.
    """
    name = checked_text(session_id, "session_id")
    why = _storable(checked_text(reason, "reason", optional=True))
    most = None if keep is None else whole(keep, "keep", least=1)
    contents = store._read(lambda db: _at_one_moment(db, name))
    if contents is None:
        raise no_session(session_id)
    row = keeping.row_of(contents, keeping.CHECKPOINT, store._clock.now_us(), why)

    def work(db: Connection) -> str:
        with transaction(db):
            return _put(db, row, keep=most)

    return store._write(work)


def restore_snapshot(
    store: PostgresStore,
    snapshot_id: str,
    *,
    session_id: str | None = None,
    replace: bool = False,
) -> str:
    """Make the session as it was, under its own id or another one; answers that id.

    Messages have the numbers and ids that they had. A session that has messages that the snapshot
    has not is not touched (``Refused``), unless ``replace``; whatever is otherwise is kept as a
    snapshot of the kind restore before. Twice is as once. Raises ``NotFound``, and ``Refused``
    for a snapshot that is not what was written.
    """
    given = checked_text(session_id, "session_id", optional=True)
    if type(replace) is not bool:
        raise Refused(f"replace must be True or False, not {type(replace).__name__}")
    taken = opened(store, snapshot_id)
    wanted = taken.info.session_id if given is None else given
    put_back(store, taken, wanted, replace=replace)
    return wanted


def opened(store: PostgresStore, snapshot_id: str) -> keeping.Taken:
    """The snapshot of this id, checked; raises ``NotFound``, ``Refused`` where it is damaged."""
    name = checked_text(snapshot_id, "snapshot_id")
    rows = store._read(lambda db: fetch(db, _ONE, (name,)))
    if not rows:
        raise keeping.no_snapshot(name)
    return keeping.opened(rows[0])


def put_back(store: PostgresStore, taken: keeping.Taken, wanted: str, *, replace: bool) -> None:
    """Make the session of this id as it was, whichever server the snapshot is from."""
    now_us = store._clock.now_us()
    store._write(lambda db: _restored(db, taken, wanted, now_us, replace=replace))


def snapshots(store: PostgresStore, session_id: str | None = None) -> builtins.list[SnapshotInfo]:
    """The snapshots of a session, also of one that is gone, or all; newest first."""
    name = checked_text(session_id, "session_id", optional=True)
    sql, values = (_OF_ALL, ()) if name is None else (_OF_SESSION, (key_of(name),))
    return [keeping.info_of(row) for row in store._read(lambda db: fetch(db, sql, values))]


def read_snapshot(store: PostgresStore, snapshot_id: str) -> Moment:
    """What a snapshot holds. Raises ``NotFound``, and ``Refused`` for what cannot be read."""
    taken = _opened(store, checked_text(snapshot_id, "snapshot_id"))
    return moment(taken.contents, taken.info)


def compare_snapshots(
    store: PostgresStore, snapshot_id: str, other: str | None = None
) -> Difference:
    """What another snapshot has otherwise, or the session as it is now; raises ``NotFound``."""
    before = read_snapshot(store, snapshot_id)
    if other is not None:
        return difference(before, read_snapshot(store, other))
    name = before.session.session_id
    contents = store._read(lambda db: _at_one_moment(db, name))
    if contents is None:
        raise no_session(name)
    return difference(before, moment(contents, None))


def remove_snapshot(store: PostgresStore, snapshot_id: str) -> None:
    """Remove a snapshot for good; raises ``NotFound``."""
    name = checked_text(snapshot_id, "snapshot_id")
    if not store._write(lambda db: change(db, _REMOVE, (name,))):
        raise keeping.no_snapshot(name)


def take(db: Connection, sid: int, kind: str, now_us: int) -> None:
    """Keep a session, whose row is locked, as it is now, within the transaction under way.

    Of kinds that a session may come to again and again, its older snapshots are removed.
    """
    row = keeping.row_of(gather(db, sid), kind, now_us, None)
    _put(db, row, keep=keeping.REPEATED.get(kind))


def gather(db: Connection, sid: int) -> Contents:
    """What is kept of the session of this row; where others may write it, within one moment."""
    facts = db.cursor(row_factory=dict_row).execute(_SESSION, (sid,)).fetchone() or {}
    return Contents(
        facts={name: value for name, value in facts.items() if name not in _ROW_NUMBERS},
        messages=_rows(db, _MESSAGES, sid),
        state=_rows(db, _STATE, sid),
    )


def _opened(store: PostgresStore, snapshot_id: str) -> keeping.Taken:
    rows = store._read(lambda db: fetch(db, _ONE, (snapshot_id,)))
    if not rows:
        raise keeping.no_snapshot(snapshot_id)
    return keeping.opened(rows[0])


def _at_one_moment(db: Connection, name: str) -> Contents | None:
    with one_moment(db):
        found = fetch(db, _FIND, (key_of(name),))
        return gather(db, found[0][0]) if found else None


def _rows(db: Connection, sql: str, sid: int) -> Rows:
    """Rows without the numbers of rows; a column that a later step adds is kept as well."""
    cursor = db.execute(sql, (sid,))
    columns = [column.name for column in cursor.description or ()]
    places = [at for at, name in enumerate(columns) if name not in _ROW_NUMBERS]
    return Rows(
        tuple(columns[at] for at in places),
        [tuple(row[at] for at in places) for row in cursor],
    )


def _storable(reason: str | None) -> str | None:
    try:
        (reason or "").encode()
    except UnicodeEncodeError:
        raise NotRepresentable("PostgreSQL takes no lone surrogates; nothing was stored") from None
    return reason


def _put(db: Connection, row: keeping.Row, *, keep: int | None) -> str:
    """Within a transaction: store a snapshot, and remove older ones of its kind beyond ``keep``."""
    name, session_id, kind, *_ = row
    key = key_of(str(session_id))
    if keep is not None:
        db.execute(_HELD, (key,))
        db.execute(_ONE_BY_ONE, (int.from_bytes(key[:4], signed=True),))
    change(db, _PUT, row)
    if keep is not None:
        change(db, _REMOVE_OLD, (key, kind, keep))
    return str(name)


def _restored(
    db: Connection, taken: keeping.Taken, session_id: str, now_us: int, *, replace: bool
) -> None:
    """Make the session as it was, in one transaction; others see it before or after."""
    wanted = taken.contents
    with transaction(db):
        lock_name(db, key_of(session_id))
        there = None
        for sid, _ in fetch(db, LOCK, (key_of(session_id),)):
            there = gather(db, sid)
            newer = newer_than(there, wanted)
            if newer is None:
                return
            if newer and not replace:
                raise refused(session_id, newer)
            row = keeping.row_of(there, keeping.RESTORE, now_us, reason_of(taken))
            _put(db, row, keep=None)
            change(db, "DELETE FROM sessions WHERE id = %s", (sid,))
        _make(db, wanted, session_id, there)


def _make(db: Connection, wanted: Contents, session_id: str, there: Contents | None) -> None:
    """Insert the session with its messages and its state; nothing has its name.

    One that was there keeps its tag, and its next number never goes back. One that is gone comes
    back under a new tag, as the numbers after the snapshot may have been given before it went.
    """
    facts = dict(wanted.facts)
    tag = secrets.token_hex(8) if there is None else there.facts["tag"]
    times = (facts["created_at_us"], facts["last_activity_us"])
    ((sid,),) = fetch(db, _MAKE, (session_id, tag, *times))
    rows = list(_under(tag, wanted))
    # An id of the session's own form is given once all numbers are there: before, it is refused.
    db.execute(_TOGETHER)
    early = [_without_id(row) if _is_of(tag, row["message_id"]) else row for row in rows]
    for run in _runs(early):
        change(db, "UPDATE sessions SET next_seq = %s WHERE id = %s", (run[0]["seq"], sid))
        _insert(db, "messages", sid, run, order=" ORDER BY seq")
    _insert(db, "state", sid, list(wanted.state.named()))
    # What the session itself says comes last: its limits and status refuse no message of its own.
    _set(db, sid, facts, max(facts["next_seq"], there.facts["next_seq"] if there else 0))
    for row in rows:
        if _is_of(tag, row["message_id"]):
            change(db, _NAME_MESSAGE, (row["message_id"], sid, row["seq"]))


def _under(tag: str, wanted: Contents) -> Iterator[dict[str, Any]]:
    """The messages of a session of this tag: under another one, each has its id written out."""
    old = wanted.facts["tag"]
    for row in wanted.messages.named():
        named = row["message_id"] is not None or tag == old
        yield row if named else row | {"message_id": own_id(old, row)}


def _is_of(tag: str, name: Any) -> bool:
    return name is not None and name.startswith(f"{tag}.")


def _without_id(row: dict[str, Any]) -> dict[str, Any]:
    return row | {"message_id": None}


def _runs(rows: Sequence[dict[str, Any]]) -> Iterator[Sequence[dict[str, Any]]]:
    """The messages in runs without a gap: the schema takes the next number, and no other."""
    starts = [at for at in range(1, len(rows)) if rows[at]["seq"] != rows[at - 1]["seq"] + 1]
    return (rows[start:end] for start, end in pairwise([0, *starts, len(rows)]) if start < end)


def _insert(
    db: Connection, table: str, sid: int, rows: Sequence[Mapping[str, Any]], *, order: str = ""
) -> None:
    if rows:
        columns = ", ".join(rows[0])
        sql = (
            f"INSERT INTO {table} (sid, {columns}) SELECT %s, {columns} "
            f"FROM json_populate_recordset(NULL::{table}, %s::json){order}"
        )
        change(db, sql, (sid, json.dumps(rows, ensure_ascii=False)))


def _set(db: Connection, sid: int, facts: Mapping[str, Any], following: int) -> None:
    columns = {name: value for name, value in facts.items() if name not in _MADE}
    model = columns.pop("llm_model")
    columns["llm_model_id"] = None if model is None else fetch(db, ADD_LLM_MODEL, (model,))[0][0]
    columns["next_seq"] = following
    settings = ", ".join(f"{name} = %s" for name in columns)
    change(db, f"UPDATE sessions SET {settings} WHERE id = %s", (*columns.values(), sid))
