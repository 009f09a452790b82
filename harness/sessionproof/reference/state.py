"""Keys and values beside a session's messages: methods of ``ReferenceStore``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from sessionproof.contract.message import Json, Message, Receipt
from sessionproof.reference import statements
from sessionproof.reference.arguments import pairs_of
from sessionproof.reference.codec import checked_json, checked_text, encode_all
from sessionproof.reference.decoding import decode_state

if TYPE_CHECKING:
    from sessionproof.reference.store import ReferenceStore


def get_state(store: ReferenceStore, session_id: str, key: str) -> Json:
    """The value of the key; None when it was never set, and for an unknown session."""
    names = (checked_text(session_id, "session_id"), checked_text(key, "key"))
    found = store._read(lambda db: statements.fetch(db, statements.GET_STATE, names))
    return decode_state(found[0][0], store._path) if found else None


def set_state(store: ReferenceStore, session_id: str, key: str, value: Json) -> None:
    """Set one key, others stay; an unknown session is created. This is no activity."""
    name = checked_text(session_id, "session_id")
    pair = (checked_text(key, "key"), checked_json(value, "value"))
    store._write(
        lambda db: statements.set_state(db, name, pair, store._clock.now_us(), store._timeouts)
    )


def append_with_state(
    store: ReferenceStore, session_id: str, messages: Sequence[Message], state: Mapping[str, Json]
) -> Receipt:
    """Add messages and set keys in one transaction; raises as ``append`` and ``set_state`` do.

    Without messages and keys it does nothing.
    """
    key = checked_text(session_id, "session_id")
    rows, pairs = encode_all(messages), pairs_of(state)
    if not rows and not pairs:
        return Receipt((), ())
    return store._write(
        lambda db: statements.append_with_state(
            db, key, rows, pairs, store._clock.now_us(), store._timeouts
        )
    )
