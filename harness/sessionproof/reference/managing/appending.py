"""Messages of a managed session, which has to be there."""

from __future__ import annotations

from collections.abc import Sequence

from sessionproof.contract.message import Message, Receipt
from sessionproof.reference import statements
from sessionproof.reference.codec import checked_text, encode_all
from sessionproof.reference.store import ReferenceStore


def append(store: ReferenceStore, session_id: str, messages: Sequence[Message]) -> Receipt:
    """As the store's own ``append``, but an unknown session is ``NotFound``.

    What a clean-up has removed would begin anew otherwise, without the user's noticing.
    """
    key = checked_text(session_id, "session_id")
    rows = encode_all(messages)
    if not rows:
        return Receipt((), ())
    now_us = store._clock.now_us()
    return store._write(lambda db: statements.append(db, key, rows, now_us, None, creates=False))
