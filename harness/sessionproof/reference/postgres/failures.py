"""PostgreSQL's errors as the contract's."""

from __future__ import annotations

import psycopg
from psycopg import errors

from sessionproof.contract.errors import (
    Conflict,
    Indefinite,
    NotRepresentable,
    Refused,
    StoreError,
    TooLarge,
)

AGAIN = (errors.DeadlockDetected, errors.SerializationFailure)
"""Another transaction was faster; this one was undone, and may be tried again."""

REPLACED = (errors.FeatureNotSupported,)
"""A restore has put other tables in the place of those that a statement was prepared for: nothing
was done, and another connection prepares it anew."""

_CONFLICTS = {
    "messages_by_message_id": "message id is taken",
    "sessions_by_session_id": "session exists",
}
_TOO_LARGE = (
    errors.ProgramLimitExceeded,
    errors.OutOfMemory,
    errors.NumericValueOutOfRange,
    errors.StringDataRightTruncation,
)
_ENDED = ("08", "57P", "58", "XX", "40003")
"""Classes of what ends a connection, or tells nothing of the transaction."""

_ENDING = ("FATAL", "PANIC")
"""How severe what ends a connection is, whatever its class: a log that cannot be written, too."""


class LostBeforeCommitError(Exception):
    """The connection was lost before the end of the transaction was asked for: it was undone."""


def is_lost(error: Exception, connection: psycopg.Connection) -> bool:
    """Whether the connection is of no more use, so that the outcome of a statement is open."""
    return connection.closed or (isinstance(error, psycopg.Error) and _is_of_the_end(error))


def as_store_error(error: Exception, *, where: str, writes: bool) -> StoreError:
    """The contract's error; ``where`` names the database without a password.

    An error that the server told on a connection that goes on is definite: the statement was
    undone. A connection that was lost while a write was under way leaves it open.
    """
    if isinstance(error, LostBeforeCommitError):
        return Refused(f"{where}: the connection was lost; nothing was stored")
    if isinstance(error, UnicodeEncodeError):
        return NotRepresentable("PostgreSQL takes no lone surrogates; nothing was stored")
    if not isinstance(error, psycopg.Error):
        return Refused(f"{where}: {one_line(error)}")
    text = one_line(error)
    state = error.sqlstate
    if state is None and isinstance(error, psycopg.DataError) and "NUL" in text:
        return NotRepresentable("PostgreSQL takes no text with U+0000; nothing was stored")
    if _is_of_the_end(error):
        return _open(text, where, writes)
    if isinstance(error, errors.UniqueViolation):
        name = error.diag.constraint_name or ""
        return Conflict(f"{_CONFLICTS.get(name, f'{name} holds it already')}; nothing was stored")
    if state == "SP001":
        return Conflict(f"{text}; nothing was stored")
    if state == "SP002":
        return Refused(f"{text}; nothing was changed")
    if isinstance(error, AGAIN):
        return Conflict(f"others were faster each time ({text}); nothing was stored")
    if isinstance(error, errors.LockNotAvailable):
        return Refused(f"{where}: another connection holds a lock; nothing was stored, try again")
    if isinstance(error, errors.ForeignKeyViolation):
        return Refused("sessions name this model; nothing was changed")
    if isinstance(error, _TOO_LARGE) or (state is None and isinstance(error, psycopg.DataError)):
        return TooLarge(f"PostgreSQL takes no value of this size ({text}); nothing was stored")
    if state:
        return Refused(f"{where}: {text}; nothing was stored")
    return _open(text, where, writes)


def _is_of_the_end(error: psycopg.Error) -> bool:
    """Whether it ends the connection, so that it tells nothing of what was under way."""
    severity = error.diag.severity_nonlocalized
    return (error.sqlstate or "").startswith(_ENDED) or severity in _ENDING


def _open(text: str, where: str, writes: bool) -> StoreError:
    if not writes:
        return Refused(f"{where} cannot be read: {text}")
    return Indefinite(f"{where}: {text}; whether the write took effect is open")


def one_line(error: BaseException) -> str:
    """The first line of the error's text."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
