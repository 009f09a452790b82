"""Limits, warnings, sweeps, and what a status allows: methods of ``ReferenceStore``."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from sessionproof.contract.errors import Expired, Refused
from sessionproof.contract.lifetime import STATUSES, Swept
from sessionproof.reference import snapshots
from sessionproof.reference.arguments import no_session, whole
from sessionproof.reference.codec import checked_text, from_value
from sessionproof.reference.connections import transaction
from sessionproof.reference.digest import SESSION_TEXT, digest_of
from sessionproof.reference.statements import (
    DELETE,
    SET_CHECKSUM,
    SHOWN,
    STATUS,
    TAKES,
    change,
    fetch,
)
from sessionproof.reference.timeouts import Timeouts
from sessionproof.reference.transitions import MOVES

if TYPE_CHECKING:
    from sessionproof.reference.store import ReferenceStore

BATCH = 500
"""Most sessions that one transaction of a sweep changes: writers wait for no more than that."""

BATCH_KEPT = 20
"""The same where it takes snapshots of them."""

SNAPSHOTS_BEFORE = frozenset({"warning", "expiry", "archive", "delete"})
"""What ``ReferenceStore`` can take a snapshot before."""

_KINDS = {"archived": "archive", "expired": "expiry"}

DUE = "SELECT 1 FROM sessions WHERE due_us <= ? LIMIT 1"
"""Takes the time; a row when a sweep has anything to do."""

_SOME_DUE = "FROM sessions WHERE due_us <= ?1 ORDER BY due_us LIMIT ?2"
SWEEP = (
    "UPDATE sessions SET status = CASE WHEN deadline_us <= ?1 THEN 'expired' ELSE 'idle' END "
    f"WHERE id IN (SELECT id {_SOME_DUE}) RETURNING session_id, status"
)
"""Takes the time and how many at most; answers each session that was due, with its new status."""

_SWEPT = (
    f"SELECT session_id, CASE WHEN deadline_us <= ?1 THEN 'expiry' ELSE 'warning' END {_SOME_DUE}"
)
# As the trigger of messages has it: what is a little earlier was late, what is much earlier was
# written by a clock that was set back.
LATER = (
    "last_activity_us = CASE WHEN ?1 BETWEEN last_activity_us - 60000000 AND last_activity_us "
    "THEN last_activity_us ELSE ?1 END"
)
"""SQL that sets the time of the last activity to ``?1``."""

_TOUCH = (
    f"UPDATE sessions SET {LATER}, status = 'active' "
    f"WHERE session_id = ?2 AND {TAKES.format('?1')} RETURNING 1"
)
_FIND = (
    f"SELECT id, status, {SHOWN.format('?1')}, hard_deadline_us FROM sessions WHERE session_id = ?2"
)
_SET_LIMITS = (
    f"UPDATE sessions SET {LATER}, status = ?2, idle_timeout_us = ?3, hard_deadline_us = ?4, "
    f"warn_us = ?5 WHERE id = ?6 RETURNING {SESSION_TEXT}"
)
_SET_STATUS = "UPDATE sessions SET status = ? WHERE id = ?"
_REOPEN = f"UPDATE sessions SET {LATER}, status = 'active' WHERE id = ?2"


def checked_kinds(names: Collection[str]) -> frozenset[str]:
    """What to take snapshots before; ValueError for a word that would never take one."""
    unknown = {*names} - SNAPSHOTS_BEFORE
    if unknown:
        raise ValueError(
            f"snapshots_before names {', '.join(sorted(map(str, unknown)))}: "
            f"known are {', '.join(sorted(SNAPSHOTS_BEFORE))}"
        )
    return frozenset(names)


def set_limits(
    store: ReferenceStore,
    session_id: str,
    *,
    idle_us: int | None = None,
    hard_us: int | None = None,
) -> None:
    """Let the session expire ``idle_us`` after its last activity, or ``hard_us`` after now.

    Whichever comes first; None is no limit. This is activity, and takes the place of the limits
    before. A session that is paused, archived or expired stays so. Raises ``NotFound``, and
    ``Refused`` for limits below 1.
    """
    key = checked_text(session_id, "session_id")
    given = Timeouts(
        idle_us=None if idle_us is None else whole(idle_us, "idle_us", least=1),
        hard_us=None if hard_us is None else whole(hard_us, "hard_us", least=1),
        warn_us=(store._timeouts or Timeouts()).warn_us,
    )

    def work(db: sqlite3.Connection) -> None:
        now_us = store._clock.now_us()
        with transaction(db):
            sid, kept, shown, _ = _found(db, session_id, key, now_us)
            if shown != kept:  # it ends now: the new limits would hide that from the next sweep
                _keep(store, db, key, "expiry", now_us)
            status = "active" if shown == "idle" else shown
            limits = given.columns(now_us).values()
            for (summed,) in fetch(db, _SET_LIMITS, (now_us, status, *limits, sid)):
                change(db, SET_CHECKSUM, (digest_of(summed), sid))

    store._write(work)


def touch(store: ReferenceStore, session_id: str) -> None:
    """Activity, and nothing else. Raises ``NotFound``; ``Expired`` as an append does."""
    key = checked_text(session_id, "session_id")

    def work(db: sqlite3.Connection) -> None:
        values = (store._clock.now_us(), key)
        if fetch(db, _TOUCH, values):
            return
        with transaction(db):  # it may have changed since
            found = fetch(db, STATUS, values)
            if not found:
                raise no_session(session_id)
            if not fetch(db, _TOUCH, values):
                raise Expired(f"the session is {found[0][0]}, and is not kept alive")

    store._write(work)


def set_status(store: ReferenceStore, session_id: str, status: str) -> None:
    """Move the session along one of the declared moves (``transitions.MOVES``).

    To the status that it has, this does nothing. A move to ``active`` is activity. Raises
    ``NotFound``; ``Refused`` for another move or word; ``Expired`` for a move to ``active`` past
    the hard limit, as long as no limits are set anew.
    """
    key = checked_text(session_id, "session_id")
    if checked_text(status, "status") not in STATUSES:
        raise Refused(f"there is no status {status!a}: use {', '.join(STATUSES)}")

    def work(db: sqlite3.Connection) -> None:
        now_us = store._clock.now_us()
        with transaction(db):
            sid, _, shown, hard_us = _found(db, session_id, key, now_us)
            if status == shown:
                return
            if status not in MOVES[shown]:
                raise Refused(
                    f"the session is {shown}: it can become {', '.join(MOVES[shown])}, "
                    f"and not {status}"
                )
            if status == "active":
                if hard_us is not None and hard_us <= now_us:
                    raise Expired("the session is past its hard limit: set limits anew before")
                change(db, _REOPEN, (now_us, sid))
                return
            _keep(store, db, key, _KINDS.get(status), now_us)
            change(db, _SET_STATUS, (status, sid))

    store._write(work)


def sweep(store: ReferenceStore) -> Swept:
    """Warn of the sessions that will soon expire, and expire those that are due.

    Each is told once, to one of all callers. It works in batches, so that writers do not wait long;
    one that is refused after others were done is left to the next sweep.
    """
    now_us = store._clock.now_us()
    kept = store._snapshots_before & {"warning", "expiry"}
    size = BATCH_KEPT if kept else BATCH
    told: dict[str, list[str]] = {"idle": [], "expired": []}
    more = bool(store._read(lambda db: fetch(db, DUE, (now_us,))))  # mostly nothing is, for free
    while more:
        try:
            done = store._write(lambda db: _sweep_some(store, db, now_us, size))
        except Refused:
            if any(told.values()):
                break
            raise
        for name, status in done:
            told[status].append(from_value(name))
        more = len(done) == size
    return Swept(warned=tuple(told["idle"]), expired=tuple(told["expired"]))


def delete(store: ReferenceStore, session_id: str) -> None:
    """Remove the session with all that belongs to it. No error for an unknown session.

    The id may be used again, and starts empty. Snapshots stay.
    """
    key = checked_text(session_id, "session_id")

    def work(db: sqlite3.Connection) -> None:
        if "delete" not in store._snapshots_before:
            change(db, DELETE, (key,))
            return
        now_us = store._clock.now_us()
        with transaction(db):
            _keep(store, db, key, "delete", now_us)
            change(db, DELETE, (key,))

    store._write(work)


def _sweep_some(
    store: ReferenceStore, db: sqlite3.Connection, now_us: int, size: int
) -> list[tuple[Any, ...]]:
    """Id and new status of some sessions that were due."""
    if not store._snapshots_before & {"warning", "expiry"}:
        return fetch(db, SWEEP, (now_us, size))
    with transaction(db):
        for key, kind in fetch(db, _SWEPT, (now_us, size)):
            _keep(store, db, key, kind, now_us)
        return fetch(db, SWEEP, (now_us, size))


def _found(
    db: sqlite3.Connection, session_id: str, key: str, now_us: int
) -> tuple[int, str, str, int | None]:
    """Row, status as it is kept and as it is shown, hard limit; raises ``NotFound``."""
    found = fetch(db, _FIND, (now_us, key))
    if not found:
        raise no_session(session_id)
    sid, kept, shown, hard_us = found[0]
    return sid, kept, shown, hard_us


def _keep(
    store: ReferenceStore, db: sqlite3.Connection, key: str | bytes, kind: str | None, now_us: int
) -> None:
    """Take a snapshot before what ``kind`` names, where the store is to."""
    if kind in store._snapshots_before:
        snapshots.take(db, key, kind, now_us)
