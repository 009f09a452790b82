"""Appends and reads of several sessions in one transaction: a method of ``ReferenceStore``."""

from __future__ import annotations

import builtins
import sqlite3
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from sessionproof.contract.errors import Refused
from sessionproof.contract.message import Message, Receipt
from sessionproof.contract.transactions import Step
from sessionproof.reference import statements
from sessionproof.reference.codec import Row, checked_text, encode_all
from sessionproof.reference.connections import transaction
from sessionproof.reference.decoding import decode_all

if TYPE_CHECKING:
    from sessionproof.reference.store import ReferenceStore

_Part: TypeAlias = tuple[str, Sequence[Row] | None]
"""A session's key, and the rows that are appended to it; None for a read."""


def transact(
    store: ReferenceStore, steps: Sequence[Step]
) -> builtins.list[builtins.list[Message] | Receipt]:
    """Carry the steps out in one transaction, all or none; raises as ``append`` does.

    Steps that only read see one moment, and writers go on meanwhile; an append among them takes
    the write lock first, so that nobody is in between.
    """
    parts = [_part(step) for step in steps_of(steps)]
    if any(rows for _, rows in parts):
        found = store._write(lambda db: _written(store, db, parts))
    else:
        found = store._read(lambda db: _read(store, db, parts))
    return [one if isinstance(one, Receipt) else decode_all(one, store._path) for one in found]


def steps_of(steps: Iterable[Step]) -> tuple[Step, ...]:
    """The steps, to be looked at as often as is needed; raises Refused where there are none."""
    if not isinstance(steps, Iterable):
        raise Refused(f"transact takes a sequence of steps, not {type(steps).__name__}")
    return tuple(steps)


def appends(steps: Sequence[Step]) -> bool:
    """Whether one of the steps is no read; what is none of the contract's is left to others."""
    return any(getattr(step, "messages", None) for step in steps)


def _part(step: Step) -> _Part:
    if not isinstance(step, Step):
        raise Refused(f"transact takes steps, not {type(step).__name__}")
    key = checked_text(step.session_id, "session_id")
    return key, None if step.messages is None else encode_all(step.messages)


def _written(store: ReferenceStore, db: sqlite3.Connection, parts: Sequence[_Part]) -> Any:
    with transaction(db):
        return _carried_out(store, db, parts)


def _read(store: ReferenceStore, db: sqlite3.Connection, parts: Sequence[_Part]) -> Any:
    db.execute("BEGIN")
    try:
        return _carried_out(store, db, parts)
    finally:
        db.execute("ROLLBACK")  # it only read


def _carried_out(
    store: ReferenceStore, db: sqlite3.Connection, parts: Sequence[_Part]
) -> builtins.list[Any]:
    """A receipt for each append, rows for each read."""
    now_us = store._clock.now_us()
    done: builtins.list[Any] = []
    for key, rows in parts:
        if rows is None:
            done.append(store._fetch(db, statements.READ_ALL, (key,)))
        elif rows:
            done.append(statements.append(db, key, rows, now_us, store._timeouts))
        else:
            done.append(Receipt((), ()))
    return done
