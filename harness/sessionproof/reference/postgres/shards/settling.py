"""How a session gets from the server where it was to the one where it belongs.

Each step may be the last, and anybody goes on from there:

1. *announce*: who moves it locks it where it was, and writes his token down where it goes to.
2. *copy*: he reads it, under his lock, after that; and the copy is taken where his token is still
   the last one that was announced. So who lost his lock meanwhile cannot spoil what came later.
3. *leave*: it is deleted where it was, and the token of the copy that counts is noted there.
4. *unpack*: the copy of that token becomes a session like others; that it is settled is noted.

A session is in use on one server at most, and on none only between 3 and 4, which everybody who
asks for it completes. While it has not left, it is used where it was, also by those who know of no
change. Nobody makes it anew where it goes to before it is settled: the schema sees to that.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from sessionproof.contract.errors import Conflict
from sessionproof.reference.postgres.pool import Connection, transaction
from sessionproof.reference.postgres.shards import copying
from sessionproof.reference.postgres.shards.layout import TOGETHER, Layout, epoch_of
from sessionproof.reference.postgres.statements import change, fetch, lock_name

if TYPE_CHECKING:
    from sessionproof.reference.postgres.store import PostgresStore

_LASTING = "SET LOCAL synchronous_commit = on"
_LOOKED_AT = (
    "SELECT (SELECT epoch FROM layout), "
    "EXISTS (SELECT FROM sessions WHERE text_key(session_id) = %s) "
    "OR EXISTS (SELECT FROM snapshots WHERE text_key(session_id) = %s), "
    "(SELECT announced FROM departures WHERE key = %s)"
)
_LOCKED = "SELECT 1 FROM sessions WHERE text_key(session_id) = %s FOR UPDATE"
_LOCKED_SNAPSHOTS = "SELECT 1 FROM snapshots WHERE text_key(session_id) = %s ORDER BY id FOR UPDATE"
_ANNOUNCED = (
    "INSERT INTO arrivals (key, session_id, announced) VALUES (%s, %s, %s) "
    "ON CONFLICT (key) DO UPDATE SET announced = excluded.announced"
)
_EXPECTED = "SELECT 1 FROM arrivals WHERE key = %s AND announced = %s FOR UPDATE"
_STAGED = "UPDATE arrivals SET staged = announced WHERE key = %s"
_LEFT = (
    "INSERT INTO departures (key, session_id, announced) VALUES (%s, %s, %s) "
    "ON CONFLICT (key) DO UPDATE SET announced = excluded.announced"
)
_DELETED = (
    "DELETE FROM sessions WHERE text_key(session_id) = %s",
    "DELETE FROM snapshots WHERE text_key(session_id) = %s",
)
_SETTLED = (
    "INSERT INTO arrivals (key, session_id, announced, settled) VALUES (%s, %s, '', true) "
    "ON CONFLICT (key) DO UPDATE SET settled = true"
)
_IS_STAGED = "SELECT 1 FROM arrivals WHERE key = %s AND staged = %s FOR UPDATE"
_ARRIVING = "SELECT key, session_id FROM arrivals WHERE staged IS NOT NULL"
_UNPACKED = "UPDATE arrivals SET staged = NULL, settled = true WHERE key = %s"


class OtherLayout(Exception):
    """The server knows an older layout than we, or a newer one: nothing may move."""


def settle(
    source: PostgresStore, target: PostgresStore, key: bytes, session_id: str, layout: Layout
) -> bool:
    """See to it that nothing of the session is left on ``source``; whether anything moved now.

    Raises ``OtherLayout`` where a server knows another one, and the contract's errors.
    """
    there, token = source._read(lambda db: _looked_at(db, key, layout))
    moved = False
    if there:
        token = source._write(lambda db: _leave(db, target, key, session_id, layout))
        moved = token is not None
    target._write(lambda db: _arrive(db, key, session_id, token, layout))
    return moved


def arriving(db: Connection) -> list[tuple[bytes, str]]:
    """Keys and ids of the sessions of which a copy is here that is not in use."""
    return [(key, session_id) for key, session_id in fetch(db, _ARRIVING, ())]


def _looked_at(db: Connection, key: bytes, layout: Layout) -> tuple[bool, str | None]:
    """Whether anything of the session is there; under which token it has left."""
    epoch, there, token = fetch(db, _LOOKED_AT, (key, key, key))[0]
    if epoch != layout.epoch:
        raise OtherLayout
    return there, token


def _hold(db: Connection, layout: Layout) -> None:
    """Within a transaction: let the layout that we know be that of the server until its end."""
    change(db, _LASTING, ())
    fetch(db, TOGETHER, ())
    if epoch_of(db) != layout.epoch:
        raise OtherLayout


def _leave(
    db: Connection, target: PostgresStore, key: bytes, session_id: str, layout: Layout
) -> str | None:
    """Steps 1 to 3; the token under which it has left, by us or before; None where it never was."""
    with transaction(db):
        _hold(db, layout)
        lock_name(db, key)
        fetch(db, _LOCKED, (key,))
        fetch(db, _LOCKED_SNAPSHOTS, (key,))
        there, left = _looked_at(db, key, layout)
        if not there:
            return left
        token = secrets.token_hex(16)
        target._write(lambda to: _announce(to, key, session_id, token))
        target._write(lambda to: _copy(db, to, key, token))
        for sql in _DELETED:
            change(db, sql, (key,))
        change(db, _LEFT, (key, session_id, token))
    return token


def _announce(to: Connection, key: bytes, session_id: str, token: str) -> None:
    with transaction(to):
        change(to, _LASTING, ())
        change(to, _ANNOUNCED, (key, session_id, token))


def _copy(db: Connection, to: Connection, key: bytes, token: str) -> None:
    with transaction(to):
        change(to, _LASTING, ())
        if not fetch(to, _EXPECTED, (key, token)):
            raise Conflict("another one moves this session: try again; nothing was stored")
        copying.copy(db, to, key)
        change(to, _STAGED, (key,))


def _arrive(to: Connection, key: bytes, session_id: str, token: str | None, layout: Layout) -> None:
    """Step 4; for a session that never was there, nothing but the note."""
    with transaction(to):
        _hold(to, layout)
        if token is None:
            change(to, _SETTLED, (key, session_id))
        elif fetch(to, _IS_STAGED, (key, token)):
            change(to, _UNPACKED, (key,))
            copying.unpack(to, key)
