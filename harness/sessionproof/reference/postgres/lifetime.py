"""Limits, warnings, sweeps, and what a status allows: methods of ``PostgresStore``.

``look_at_us`` is when a sweep has something to do at the earliest. Activity moves the end of a
session later and leaves that as it is; the sweep that comes to it looks again, and moves it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sessionproof.contract.errors import Expired, Refused
from sessionproof.contract.lifetime import STATUSES, Swept
from sessionproof.reference.arguments import no_session, whole
from sessionproof.reference.codec import checked_text
from sessionproof.reference.postgres import moments
from sessionproof.reference.postgres.pool import Connection, transaction
from sessionproof.reference.postgres.statements import (
    DEADLINE,
    DELETE,
    SHOWN,
    STATUS,
    TAKES,
    change,
    fetch,
    first_look,
    key_of,
    locked,
)
from sessionproof.reference.timeouts import Timeouts
from sessionproof.reference.transitions import MOVES

if TYPE_CHECKING:
    from sessionproof.reference.postgres.store import PostgresStore

BATCH = 500
"""Most sessions that one transaction of a sweep locks."""

BATCH_KEPT = 20
"""The same where it takes snapshots of them."""

_KINDS = {"archived": "archive", "expired": "expiry"}

_HERE = "text_key(s.session_id) = %s"
# As the trigger of messages has it: what is a little earlier was late, what is much earlier was
# written by a clock that was set back.
_LATER = (
    "last_activity_us = CASE WHEN %s BETWEEN s.last_activity_us - 60000000 AND s.last_activity_us "
    "THEN s.last_activity_us ELSE %s END"
)
_TOUCH = (
    f"UPDATE sessions AS s SET {_LATER}, status = 'active', "
    "look_at_us = CASE WHEN s.status = 'active' AND %s >= s.last_activity_us - 60000000 "
    "THEN s.look_at_us ELSE s.look_at_us - s.look_at_us END "
    f"WHERE {_HERE} AND {TAKES}"
)
_FIND = (
    f"SELECT s.id, s.status, {SHOWN}, s.last_activity_us, s.idle_timeout_us, s.hard_deadline_us, "
    f"s.warn_us FROM sessions AS s WHERE {_HERE} FOR UPDATE"
)
_SET_LIMITS = (
    f"UPDATE sessions AS s SET {_LATER}, status = %s, idle_timeout_us = %s, hard_deadline_us = %s, "
    "warn_us = %s, look_at_us = %s WHERE id = %s"
)
_SET_STATUS = "UPDATE sessions SET status = %s, look_at_us = NULL WHERE id = %s"
_REOPEN = f"UPDATE sessions AS s SET {_LATER}, status = 'active', look_at_us = %s WHERE id = %s"
_IS_DUE = "SELECT 1 FROM sessions WHERE look_at_us <= %s LIMIT 1"
_DUE = (
    f"SELECT s.id, s.session_id, s.status, {DEADLINE}, s.warn_us FROM sessions AS s "
    "WHERE s.look_at_us <= %s ORDER BY s.look_at_us, s.id LIMIT %s FOR UPDATE"
)
_SWEPT = (
    "UPDATE sessions AS s SET status = v.status, look_at_us = v.look_at_us "
    "FROM unnest(%s::bigint[], %s::text[], %s::bigint[]) AS v (id, status, look_at_us) "
    "WHERE s.id = v.id"
)


class _Found(NamedTuple):
    """A session that is locked: its row, its status as kept and as shown, its limits."""

    sid: int
    kept: str
    shown: str
    active_us: int
    idle_us: int | None
    hard_us: int | None
    warn_us: int | None


def set_limits(
    store: PostgresStore,
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
    name = checked_text(session_id, "session_id")
    given = Timeouts(
        idle_us=None if idle_us is None else whole(idle_us, "idle_us", least=1),
        hard_us=None if hard_us is None else whole(hard_us, "hard_us", least=1),
        warn_us=(store._timeouts or Timeouts()).warn_us,
    )

    def work(db: Connection) -> None:
        now_us = store._clock.now_us()
        with transaction(db):
            found = _found(db, name, now_us)
            if found.shown != found.kept:  # it ends now: the new limits would hide that for ever
                _keep(store, db, found.sid, "expiry", now_us)
            status = "active" if found.shown == "idle" else found.shown
            limits = given.columns(now_us)
            look_us = first_look(_later(found, now_us), limits) if status == "active" else None
            change(db, _SET_LIMITS, (now_us, now_us, status, *limits.values(), look_us, found.sid))

    store._write(work)


def touch(store: PostgresStore, session_id: str) -> None:
    """Activity, and nothing else. Raises ``NotFound``; ``Expired`` as an append does."""
    name = checked_text(session_id, "session_id")

    def work(db: Connection) -> None:
        now_us = store._clock.now_us()
        key = key_of(name)
        if change(db, _TOUCH, (now_us, now_us, now_us, key, now_us)):
            return
        with transaction(db):  # it may have changed since
            found = locked(db, STATUS, (now_us, key))
            if not found:
                raise no_session(session_id)
            if not change(db, _TOUCH, (now_us, now_us, now_us, key, now_us)):
                raise Expired(f"the session is {found[0][1]}, and is not kept alive")

    store._write(work)


def set_status(store: PostgresStore, session_id: str, status: str) -> None:
    """Move the session along one of the declared moves (``transitions.MOVES``).

    To the status that it has, this does nothing. A move to ``active`` is activity. Raises
    ``NotFound``; ``Refused`` for another move or word; ``Expired`` for a move to ``active`` past
    the hard limit, as long as no limits are set anew.
    """
    name = checked_text(session_id, "session_id")
    if checked_text(status, "status") not in STATUSES:
        raise Refused(f"there is no status {status!a}: use {', '.join(STATUSES)}")

    def work(db: Connection) -> None:
        now_us = store._clock.now_us()
        with transaction(db):
            found = _found(db, name, now_us)
            if status == found.shown:
                return
            if status not in MOVES[found.shown]:
                raise Refused(
                    f"the session is {found.shown}: it can become "
                    f"{', '.join(MOVES[found.shown])}, and not {status}"
                )
            if status == "active":
                _reopen(db, found, now_us)
                return
            _keep(store, db, found.sid, _KINDS.get(status), now_us)
            change(db, _SET_STATUS, (status, found.sid))

    store._write(work)


def sweep(store: PostgresStore) -> Swept:
    """Warn of the sessions that will soon expire, and expire those that are due.

    Each is told once, to one of all callers. It works in batches, so that writers do not wait long;
    one that is refused after others were done is left to the next sweep.
    """
    now_us = store._clock.now_us()
    told: dict[str, list[str]] = {"idle": [], "expired": []}
    while store._read(lambda db: fetch(db, _IS_DUE, (now_us,))):
        try:
            done = store._write(lambda db: _sweep_some(store, db, now_us))
        except Refused:
            if any(told.values()):
                break
            raise
        for name, status in done:
            told[status].append(name)
    return Swept(warned=tuple(told["idle"]), expired=tuple(told["expired"]))


def delete(store: PostgresStore, session_id: str) -> None:
    """Remove the session with all that belongs to it. No error for an unknown session.

    The id may be used again, and starts empty. Snapshots stay.
    """
    deleted(store, session_id)


def deleted(store: PostgresStore, session_id: str) -> bool:
    """Remove the session as ``delete`` does; whether there was one."""
    name = checked_text(session_id, "session_id")

    def work(db: Connection) -> bool:
        if "delete" not in store._snapshots_before:
            return change(db, DELETE, (key_of(name),)) > 0
        now_us = store._clock.now_us()
        with transaction(db):
            found = locked(db, STATUS, (now_us, key_of(name)))
            for sid, _ in found:
                _keep(store, db, sid, "delete", now_us)
                change(db, "DELETE FROM sessions WHERE id = %s", (sid,))
        return bool(found)

    return store._write(work)


def _sweep_some(store: PostgresStore, db: Connection, now_us: int) -> list[tuple[str, str]]:
    """Id and new status of some sessions that were due."""
    kept = store._snapshots_before & {"warning", "expiry"}
    told, changed = [], []
    with transaction(db):
        for sid, name, status, deadline_us, warn_us in fetch(
            db, _DUE, (now_us, BATCH_KEPT if kept else BATCH)
        ):
            new, look_us = _now(status, deadline_us, warn_us, now_us)
            if new != status:
                told.append((name, new))
                _keep(store, db, sid, "expiry" if new == "expired" else "warning", now_us)
            changed.append((sid, new, look_us))
        if changed:
            change(db, _SWEPT, [list(column) for column in zip(*changed, strict=True)])
    return told


def _now(
    status: str, deadline_us: int | None, warn_us: int | None, now_us: int
) -> tuple[str, int | None]:
    """The status that a session has now, and when it is to be looked at again."""
    if status not in ("active", "idle") or deadline_us is None:
        return status, None
    if deadline_us <= now_us:
        return "expired", None
    if status == "active" and warn_us:
        warned_us = deadline_us - warn_us
        return ("idle", deadline_us) if warned_us <= now_us else ("active", warned_us)
    return status, deadline_us


def _reopen(db: Connection, found: _Found, now_us: int) -> None:
    if found.hard_us is not None and found.hard_us <= now_us:
        raise Expired("the session is past its hard limit: set limits anew before")
    limits = {
        "idle_timeout_us": found.idle_us,
        "hard_deadline_us": found.hard_us,
        "warn_us": found.warn_us,
    }
    look_us = first_look(_later(found, now_us), limits)
    change(db, _REOPEN, (now_us, now_us, look_us, found.sid))


def _later(found: _Found, now_us: int) -> int:
    """The last activity after one at this time, as ``_LATER`` has it."""
    return found.active_us if 0 <= found.active_us - now_us <= 60_000_000 else now_us


def _found(db: Connection, name: str, now_us: int) -> _Found:
    """The session, locked; raises ``NotFound``."""
    found = locked(db, _FIND, (now_us, key_of(name)))
    if not found:
        raise no_session(name)
    return _Found(*found[0])


def _keep(store: PostgresStore, db: Connection, sid: int, kind: str | None, now_us: int) -> None:
    """Take a snapshot before what ``kind`` names, where the store is to."""
    if kind in store._snapshots_before:
        moments.take(db, sid, str(kind), now_us)
