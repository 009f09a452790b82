"""What a file is that somebody wants to import."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

from sessionproof.contract.errors import Refused
from sessionproof.reference.copying import on_state
from sessionproof.reference.exchange.foreign import library_of
from sessionproof.reference.exchange.tables import SESSIONS
from sessionproof.reference.failures import ERRORS, as_store_error
from sessionproof.reference.steps import APPLICATION_ID

_HEAD_BYTES = 1 << 16
_SQLITE = b"SQLite format 3\0"


def form_of(path: Path) -> str:
    """``full``, ``chat``, ``csv``, or the name of a library; raises ``Refused``."""
    if path.is_dir():
        if (path / SESSIONS).is_file():
            return "csv"
        raise Refused(f"{path} has no {SESSIONS}: name a file, or a folder of CSV")
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
    except OSError as error:
        raise Refused(f"{path} cannot be read: {error.strerror or error}") from error
    if head.startswith(_SQLITE):
        return _library(path)
    first = head.removeprefix(b"\xef\xbb\xbf").lstrip().partition(b"\n")[0]
    if first.startswith(b'{"sessionproof"'):
        return "full"
    if first.startswith(b"{") and (b'"messages"' in first or not _is_json(first)):
        return "chat"
    raise Refused(
        f"{path} is nothing that can be imported: an export, JSON Lines of chats "
        '({"messages": [...]} in each line), or a database of a known library'
    )


def _library(path: Path) -> str:
    def look(db: sqlite3.Connection) -> str:
        if db.execute("PRAGMA application_id").fetchone()[0] == APPLICATION_ID:
            raise Refused(f"{path} is a database of this store: export it, and import that")
        name = library_of(db)
        if name is None:
            raise Refused(f"{path} is no database that can be imported: try migrate")
        return name

    try:
        return on_state(path, look)
    except ERRORS as error:
        raise as_store_error(error, path=path, writes=False) from error


def _is_json(text: bytes) -> bool:
    """Whether the line is whole; one that is longer than what was read is not, or too deep."""
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True
