"""SQLite's errors in the words of the contract: which are definite, and which are not."""

from __future__ import annotations

import sqlite3

from sessionproof.contract.errors import Conflict, Indefinite, Refused, StoreError, TooLarge

# A constraint or trigger of the schema that two clients can run into, and what it means to them.
_CONFLICTS = ("message id is taken", "session exists")

# One that says no for a reason that lasts.
_REFUSALS = ("sessions name this model",)

_BUSY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)

_OF_ONE = (None, sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_MISMATCH, sqlite3.SQLITE_TOOBIG)

DAMAGED = "the file is damaged; restore a backup, or save what is left by sessionproof recover"

_CLEAR = {
    sqlite3.SQLITE_CONSTRAINT: "the schema refuses it",
    sqlite3.SQLITE_MISMATCH: "the schema refuses it",
    sqlite3.SQLITE_READONLY: "the database is read-only",
    sqlite3.SQLITE_PERM: "access is denied",
    sqlite3.SQLITE_CANTOPEN: "the file cannot be opened",
    sqlite3.SQLITE_FULL: "the disk is full",
    sqlite3.SQLITE_CORRUPT: DAMAGED,
    sqlite3.SQLITE_NOTADB: "the file is not a SQLite database",
    sqlite3.SQLITE_ERROR: "the database does not have the expected tables",
    sqlite3.SQLITE_SCHEMA: "the database does not have the expected tables",
}
"""Errors that SQLite raises before a commit is written: the statement was rolled back."""


ERRORS = (sqlite3.Error, UnicodeDecodeError)
"""What sqlite3 raises: the second where SQLite's own message quotes a damaged text."""

_OF_FILES = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_IOERR)


def is_damage(error: BaseException) -> bool:
    """Whether the error says that the file is damaged, or cannot be read."""
    if isinstance(error, sqlite3.Error):
        return primary_code(error) in _OF_FILES or str(error).startswith("Could not decode")
    return isinstance(error, UnicodeDecodeError)


def one_line(text: object) -> str:
    """The text as it is, or escaped where it holds what no line may: it may be a file's own."""
    shown = str(text)
    return shown if shown.isprintable() else ascii(shown)[1:-1]


def primary_code(error: sqlite3.Error) -> int | None:
    """SQLite's primary result code, or None for errors of Python's own."""
    code: int | None = getattr(error, "sqlite_errorcode", None)
    return None if code is None else code & 0xFF


def is_busy(error: BaseException) -> bool:
    """Whether another connection held the lock: nothing was done, and it may be tried again."""
    return isinstance(error, sqlite3.Error) and primary_code(error) in _BUSY


def is_definite(error: BaseException) -> bool:
    """Whether a write that met this error was surely undone."""
    return isinstance(error, sqlite3.Error) and not isinstance(
        as_store_error(error, path="", writes=True), Indefinite
    )


def refuses_one(error: sqlite3.Error) -> bool:
    """Whether the error is about one statement alone, which was undone or never run."""
    return primary_code(error) in _OF_ONE


def as_store_error(error: Exception, *, path: object, writes: bool) -> StoreError:
    """The contract's error for SQLite's.

    An I/O error can strike after the commit record was written, so a write that met one is
    ``Indefinite``: the record may count once the file is opened again. Reads change nothing,
    so all their errors are definite.
    """
    if not isinstance(error, sqlite3.Error):
        return Refused(f"{path}: {DAMAGED}")
    code = primary_code(error)
    text = one_line(error)
    if text in _CONFLICTS:
        return Conflict(f"{text}; nothing was stored")
    if text in _REFUSALS:
        return Refused(f"{text}; nothing was changed")
    if code in _BUSY:
        return Refused(f"{path} is locked by another connection; nothing was stored, try again")
    if code == sqlite3.SQLITE_TOOBIG or isinstance(error, sqlite3.DataError):
        return TooLarge(f"SQLite takes no value of this size ({text}); nothing was stored")
    if text.startswith("no such module"):
        return Refused(
            f"{path}: this SQLite is built without {text.split()[-1]}: use another Python"
        )
    if code in _CLEAR:
        return Refused(f"{path}: {_CLEAR[code]} ({text})")
    if text.startswith("Could not decode"):  # goes on with the text itself, which is a user's
        text = f"a text is not UTF-8: {DAMAGED}"
        if not writes:
            return Refused(f"{path}: {text}")
    if "losed" in text:  # "Cannot operate on a closed database": another thread closed the handle
        return Refused("the store is closed")
    if not writes:
        return Refused(f"{path} cannot be read: {text}")
    return Indefinite(f"{path}: {text}; whether the write took effect is open")
