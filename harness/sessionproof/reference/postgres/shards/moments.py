"""Snapshots where sessions are spread over servers: each lies with its session.

A snapshot is found by its id on any server, as its id does not say whose it is.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from sessionproof.contract.errors import Refused
from sessionproof.contract.snapshots import SnapshotInfo
from sessionproof.reference.codec import checked_text
from sessionproof.reference.moments import keeping
from sessionproof.reference.postgres import moments
from sessionproof.reference.postgres.pool import Connection
from sessionproof.reference.postgres.shards.routing import everywhere, on_home
from sessionproof.reference.postgres.shards.servers import Servers
from sessionproof.reference.postgres.statements import fetch

if TYPE_CHECKING:
    from sessionproof.reference.postgres.store import PostgresStore

_WHOSE = "SELECT session_id FROM snapshots WHERE snapshot_id = %s"


def listed(servers: Servers, session_id: str | None) -> list[SnapshotInfo]:
    """The snapshots of a session, also of one that is gone, or all; newest first."""
    if session_id is not None:
        its = partial(moments.snapshots, session_id=session_id)
        return on_home(servers, session_id, its, asks=True)
    answers = everywhere(servers, moments.snapshots).values()
    found = {one.snapshot_id: one for answer in answers for one in answer}
    return sorted(found.values(), key=lambda one: -(one.taken_at_us or 0))


def restored(servers: Servers, snapshot_id: str, *, session_id: str | None, replace: bool) -> str:
    """Make the session as it was, on its server, from wherever the snapshot lies."""
    given = checked_text(session_id, "session_id", optional=True)
    if type(replace) is not bool:
        raise Refused(f"replace must be True or False, not {type(replace).__name__}")
    whose = _whose(servers, snapshot_id)
    taken = on_home(servers, whose, lambda server: moments.opened(server, snapshot_id), asks=False)
    wanted = whose if given is None else given

    def put(server: PostgresStore) -> None:
        moments.put_back(server, taken, wanted, replace=replace)

    on_home(servers, wanted, put, asks=False)
    return wanted


def removed(servers: Servers, snapshot_id: str) -> None:
    """Remove a snapshot for good; raises ``NotFound``."""
    whose = _whose(servers, snapshot_id)
    on_home(servers, whose, lambda server: moments.remove_snapshot(server, snapshot_id), asks=False)


def _whose(servers: Servers, snapshot_id: str) -> str:
    """The session of a snapshot; raises ``NotFound``."""
    name = checked_text(snapshot_id, "snapshot_id")
    answers = everywhere(servers, lambda server: server._read(partial(_session_of, name))).values()
    found = next((one for one in answers if one is not None), None)
    if found is None:
        raise keeping.no_snapshot(snapshot_id)
    return found


def _session_of(name: str, db: Connection) -> str | None:
    rows = fetch(db, _WHOSE, (name,))
    return str(rows[0][0]) if rows else None
