"""Snapshots of sessions: methods of ``ReferenceStore``."""

from __future__ import annotations

import builtins
import sqlite3
from typing import TYPE_CHECKING

from sessionproof.contract.errors import Refused
from sessionproof.contract.snapshots import SnapshotInfo
from sessionproof.reference.arguments import no_session, whole
from sessionproof.reference.codec import checked_text
from sessionproof.reference.moments import keeping
from sessionproof.reference.moments.contents import Contents, gather_named
from sessionproof.reference.moments.keeping import CHECKPOINT, take
from sessionproof.reference.moments.restoring import renamed, restore
from sessionproof.reference.moments.showing import Difference, Moment, difference, moment
from sessionproof.reference.statements import fetch

if TYPE_CHECKING:
    from sessionproof.reference.store import ReferenceStore

__all__ = [
    "compare_snapshots", "read_snapshot", "remove_snapshot", "restore_snapshot", "snapshot",
    "snapshots", "take",
]  # fmt: skip

_THERE = "SELECT 1 FROM sessions WHERE session_id = ?"


def snapshot(
    store: ReferenceStore,
    session_id: str,
    *,
    reason: str | None = None,
    keep: int | None = None,
) -> str:
    """Keep the session as it is now, with all that belongs to it; answers the snapshot's id.

    With ``keep``, older snapshots that were asked for are removed beyond that number. Writers go
    on meanwhile. Raises ``NotFound`` for an unknown session.
    """
    key = checked_text(session_id, "session_id")
    why = checked_text(reason, "reason", optional=True)
    most = None if keep is None else whole(keep, "keep", least=1)
    contents = store._read(lambda db: _at_one_moment(db, key))
    if contents is None:
        raise no_session(session_id)
    row = keeping.row_of(contents, CHECKPOINT, store._clock.now_us(), why)
    return store._write(lambda db: keeping.put(db, row, keep=most))


def restore_snapshot(
    store: ReferenceStore,
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
    name = checked_text(snapshot_id, "snapshot_id")
    given = checked_text(session_id, "session_id", optional=True)
    if type(replace) is not bool:
        raise Refused(f"replace must be True or False, not {type(replace).__name__}")
    taken = _opened(store, name)
    key = taken.info.session_id if given is None else given
    now_us = store._clock.now_us()
    there = store._read(lambda db: fetch(db, _THERE, (key,)))
    rows = None if there else renamed(taken.contents)
    store._write(lambda db: restore(db, taken, key, now_us, replace=replace, written_out=rows))
    return key


def snapshots(store: ReferenceStore, session_id: str | None = None) -> builtins.list[SnapshotInfo]:
    """The snapshots of a session, also of one that is gone, or all; newest first."""
    key = checked_text(session_id, "session_id", optional=True)
    rows = store._read(lambda db: keeping.listed(db, key))
    return [keeping.info_of(row) for row in rows]


def read_snapshot(store: ReferenceStore, snapshot_id: str) -> Moment:
    """What a snapshot holds. Raises ``NotFound``, and ``Refused`` for what cannot be read."""
    taken = _opened(store, checked_text(snapshot_id, "snapshot_id"))
    return moment(taken.contents, taken.info)


def compare_snapshots(
    store: ReferenceStore, snapshot_id: str, other: str | None = None
) -> Difference:
    """What another snapshot has otherwise, or the session as it is now; raises ``NotFound``."""
    before = read_snapshot(store, snapshot_id)
    if other is not None:
        return difference(before, read_snapshot(store, other))
    key = before.session.session_id
    contents = store._read(lambda db: _at_one_moment(db, key))
    if contents is None:
        raise no_session(key)
    return difference(before, moment(contents, None))


def remove_snapshot(store: ReferenceStore, snapshot_id: str) -> None:
    """Remove a snapshot for good; raises ``NotFound``."""
    name = checked_text(snapshot_id, "snapshot_id")
    if not store._write(lambda db: keeping.removed(db, name)):
        raise keeping.no_snapshot(name)


def _opened(store: ReferenceStore, snapshot_id: str) -> keeping.Taken:
    return keeping.opened(store._read(lambda db: keeping.found(db, snapshot_id)))


def _at_one_moment(db: sqlite3.Connection, key: str) -> Contents | None:
    db.execute("BEGIN")
    try:
        return gather_named(db, key)
    finally:
        db.execute("ROLLBACK")  # it only read
