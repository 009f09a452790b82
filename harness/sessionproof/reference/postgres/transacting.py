"""Appends and reads of several sessions in one transaction: a method of ``PostgresStore``.

All sessions are locked before the first step, those that are not there by their names, in one order
for all, so nobody is in between and nobody waits in a circle. Reads alone see one moment, and lock
nothing.
"""

from __future__ import annotations

import builtins
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from sessionproof.contract.errors import Refused
from sessionproof.contract.message import Message, Receipt
from sessionproof.contract.transactions import Step
from sessionproof.reference.codec import Row, checked_text, encode_all
from sessionproof.reference.decoding import decode_all
from sessionproof.reference.postgres import statements
from sessionproof.reference.postgres.pool import Connection, one_moment, transaction
from sessionproof.reference.transacting import steps_of

if TYPE_CHECKING:
    from sessionproof.reference.postgres.store import PostgresStore

_Part: TypeAlias = tuple[str, Sequence[Row] | None]
"""A session's id, and the rows that are appended to it; None for a read."""

_LOCK_ALL = (
    "SELECT s.id FROM sessions AS s WHERE text_key(s.session_id) = ANY(%s) "
    "ORDER BY text_key(s.session_id) FOR UPDATE"
)


def transact(
    store: PostgresStore, steps: Sequence[Step]
) -> builtins.list[builtins.list[Message] | Receipt]:
    """Carry the steps out in one transaction, all or none; raises as ``append`` does."""
    parts = [_part(step) for step in steps_of(steps)]
    if any(rows for _, rows in parts):
        found = store._write(lambda db: _written(store, db, parts))
    else:
        found = store._read(lambda db: _read(db, parts))
    return [one if isinstance(one, Receipt) else decode_all(one, store.where) for one in found]


def _part(step: Step) -> _Part:
    if not isinstance(step, Step):
        raise Refused(f"transact takes steps, not {type(step).__name__}")
    name = checked_text(step.session_id, "session_id")
    return name, None if step.messages is None else encode_all(step.messages)


def _written(store: PostgresStore, db: Connection, parts: Sequence[_Part]) -> builtins.list[Any]:
    now_us = store._clock.now_us()
    keys = sorted({statements.key_of(name) for name, _ in parts})
    with transaction(db):
        for key in keys:
            statements.lock_name(db, key)
        statements.fetch(db, _LOCK_ALL, (keys,))
        done: builtins.list[Any] = []
        for name, rows in parts:
            key = statements.key_of(name)
            if rows is None:
                done.append(statements.fetch(db, statements.READ_ALL, (key,)))
                continue
            if rows:
                statements.make_ready(db, name, now_us, store._timeouts)
            done.append(statements.receipt(rows, statements.insert(db, key, rows, now_us)))
    return done


def _read(db: Connection, parts: Sequence[_Part]) -> builtins.list[Any]:
    with one_moment(db):
        return [
            Receipt((), ())
            if rows is not None
            else statements.fetch(db, statements.READ_ALL, (statements.key_of(name),))
            for name, rows in parts
        ]
