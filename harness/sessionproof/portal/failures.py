"""The databases' errors as the contract's: which are definite, and which leave it open.

What is told is the database's own first line, never the statement with its values.
"""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Any

from sqlalchemy import exc

from sessionproof.contract.errors import (
    Conflict,
    Indefinite,
    NotFound,
    NotRepresentable,
    Refused,
    StoreError,
    TooLarge,
)

if TYPE_CHECKING:
    import psycopg


class UnreadableError(Refused):
    """A value of a row that was asked for is no text: the file is damaged there."""


ERRORS = (exc.SQLAlchemyError, sqlite3.Error, UnicodeError, OverflowError)
"""What may come out of a call of the database."""

# What the guards of both databases say, and their constraints' names.
_CONFLICTS = {
    "user exists": "user exists",
    "e-mail is taken": "e-mail is taken",
    "auth session exists": "auth session exists",
    "conversation exists": "conversation exists",
    "users_key": "user exists",
    "users_have_one_email": "e-mail is taken",
    "auth_sessions_key": "auth session exists",
    "auth_sessions_have_one_token_digest": "auth session exists",
    "conversations_key": "conversation exists",
}
_ABSENT = {
    "an auth session needs its user": "there is no such user",
    "a conversation needs its user": "there is no such user",
    "a message needs its conversation": "there is no such conversation",
    "auth_sessions_to_users": "there is no such user",
    "conversations_to_users": "there is no such user",
    "messages_to_conversations": "there is no such conversation",
}
_BUSY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
_CLEAR = {
    sqlite3.SQLITE_CONSTRAINT: "the schema refuses it",
    sqlite3.SQLITE_MISMATCH: "the schema refuses it",
    sqlite3.SQLITE_READONLY: "the database is read-only",
    sqlite3.SQLITE_PERM: "access is denied",
    sqlite3.SQLITE_CANTOPEN: "the file cannot be opened",
    sqlite3.SQLITE_FULL: "the disk is full",
    sqlite3.SQLITE_CORRUPT: "the file is damaged: restore a backup",
    sqlite3.SQLITE_NOTADB: "the file is not a SQLite database",
    sqlite3.SQLITE_ERROR: "the database does not have the expected tables",
    sqlite3.SQLITE_SCHEMA: "the database does not have the expected tables",
}
"""What SQLite says before a commit is written: the transaction was undone."""

_ENDED = ("08", "57P", "58", "XX", "40003")
"""Classes of what ends a connection to a server, or tells nothing of the transaction."""

_TOO_LARGE = ("54", "53200", "22003", "22001")
_AGAIN = ("40001", "40P01")
"""Others were faster: nothing was done."""


def is_lost(error: BaseException) -> bool:
    """Whether the connection is of no more use, so that it tells nothing of what was under way."""
    if not isinstance(error, exc.DBAPIError):
        return False
    return error.connection_invalidated or _ends(error.orig)


def is_again(error: BaseException) -> bool:
    """Whether the transaction was undone for the sake of others, and may be tried again."""
    return isinstance(error, exc.DBAPIError) and _state(error.orig) in _AGAIN


def as_store_error(error: Exception, *, where: str, open_ended: bool) -> StoreError:
    """The contract's error; ``where`` names the database without a password.

    ``open_ended``: the end of the transaction had been asked for, so a connection that was lost, or
    a file that cannot be written, leaves open whether it counts.
    """
    if isinstance(error, exc.TimeoutError):
        return Refused(f"{where}: all connections of the pool are busy; nothing was stored")
    cause = error.orig if isinstance(error, exc.StatementError) and error.orig else error
    if isinstance(cause, StoreError):
        return cause
    if isinstance(cause, UnicodeError):
        return NotRepresentable(f"{where}: a text cannot be written as UTF-8; nothing was stored")
    if isinstance(cause, OverflowError):
        return TooLarge(f"{where}: a number has more than 64 bits; nothing was stored")
    if isinstance(cause, sqlite3.Error):
        return _of_sqlite(cause, where, open_ended)
    if isinstance(error, exc.DBAPIError):
        return _of_server(error, where, open_ended)
    return Refused(f"{where}: {one_line(cause)}")


def one_line(error: BaseException) -> str:
    """The first line of the error's text, escaped where it holds what no line may."""
    text = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return text if text.isprintable() else ascii(text)[1:-1]


def _known(name: str) -> StoreError | None:
    """What a guard's words or a constraint's name mean to the caller."""
    if name in _CONFLICTS:
        return Conflict(f"{_CONFLICTS[name]}; nothing was stored")
    if name in _ABSENT:
        return NotFound(_ABSENT[name])
    return None


def _of_sqlite(error: sqlite3.Error, where: str, open_ended: bool) -> StoreError:
    text = one_line(error)
    known = _known(text)
    if known is not None:
        return known
    whole: int | None = getattr(error, "sqlite_errorcode", None)
    code = None if whole is None else whole & 0xFF
    if code in _BUSY:
        return Refused(f"{where} is locked by another connection; nothing was stored, try again")
    if code == sqlite3.SQLITE_TOOBIG or isinstance(error, sqlite3.DataError):
        return TooLarge(f"SQLite takes no value of this size ({text}); nothing was stored")
    if code in _CLEAR:
        return Refused(f"{where}: {_CLEAR[code]} ({text})")
    if text.startswith("Could not decode"):  # goes on with the text itself, which is a user's
        why = "a text is not UTF-8: the file is damaged: restore a backup"
        return UnreadableError(f"{where}: {why}")
    if open_ended:
        return Indefinite(f"{where}: {text}; whether the write took effect is open")
    return Refused(f"{where}: {text}; nothing was stored")


def _of_server(error: exc.DBAPIError, where: str, open_ended: bool) -> StoreError:
    text, state = one_line(error.orig or error), _state(error.orig)
    if is_lost(error):
        if open_ended:
            return Indefinite(f"{where}: {text}; whether the write took effect is open")
        return Refused(f"{where}: the connection was lost ({text}); nothing was stored")
    known = _known(_constraint(error.orig))
    if known is not None:
        return known
    if state in _AGAIN or state == "SP001":
        return Conflict(f"others were faster each time ({text}); nothing was stored")
    if state == "55P03":
        return Refused(f"{where}: another connection holds a lock; nothing was stored, try again")
    if state.startswith(_TOO_LARGE):
        return TooLarge(f"PostgreSQL takes no value of this size ({text}); nothing was stored")
    if state or not open_ended:
        return Refused(f"{where}: {text}; nothing was stored")
    return Indefinite(f"{where}: {text}; whether the write took effect is open")


def _state(error: Any) -> str:
    return getattr(error, "sqlstate", None) or ""


def _constraint(error: Any) -> str:
    return getattr(getattr(error, "diag", None), "constraint_name", None) or ""


def _ends(error: psycopg.Error | Any) -> bool:
    severity = getattr(getattr(error, "diag", None), "severity_nonlocalized", None)
    return _state(error).startswith(_ENDED) or severity in ("FATAL", "PANIC")
