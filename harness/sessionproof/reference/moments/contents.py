"""All that belongs to a session, as rows; and its form in a snapshot.

Nothing is decoded, so nothing can be lost: what a later step of the schema adds is kept as well,
and what cannot be read is kept as the bytes that it is. The form is JSON, compressed: text is text,
bytes are ``{"hex": …}``.
"""

from __future__ import annotations

import json
import sqlite3
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sessionproof.reference.codec import Value
from sessionproof.reference.digest import SESSION_TEXT, same_digest
from sessionproof.reference.statements import fetch

Key = str | bytes
"""An id of a session: as callers give it, or as the column has it."""

FORMAT = 1
_LEVEL = 1  # the others take three times as long, and save a tenth
_DROPPED = ("id", "sid")  # the numbers of rows: of no meaning elsewhere


@dataclass(frozen=True, slots=True)
class Rows:
    """Some rows of a table by the names of their columns."""

    columns: tuple[str, ...]
    values: Sequence[tuple[Value, ...]]

    def named(self) -> Iterator[dict[str, Value]]:
        """Each row as columns to values."""
        return (dict(zip(self.columns, row, strict=True)) for row in self.values)


@dataclass(frozen=True, slots=True)
class Contents:
    """A session: its own row, its messages by their numbers, its state.

    ``intact`` is whether its row was what was written.
    """

    facts: Mapping[str, Any]
    messages: Rows
    state: Rows
    intact: bool = True


def gather(db: sqlite3.Connection, sid: int) -> Contents:
    """What is kept of the session of this row, as a transaction sees it."""
    (facts,) = _rows(db, "sessions", "id = ?", sid).named()
    ((summed, kept),) = fetch(
        db, f"SELECT {SESSION_TEXT}, CAST(checksum AS BLOB) FROM sessions WHERE id = ?", (sid,)
    )
    return Contents(
        facts=facts,
        messages=_rows(db, "messages", "sid = ? ORDER BY seq", sid),
        state=_rows(db, "state", "sid = ? ORDER BY key", sid),
        intact=kept is None or same_digest(summed, kept),
    )


def gather_named(db: sqlite3.Connection, session_id: Key) -> Contents | None:
    """What is kept of the session of this id; None when there is none."""
    found = fetch(db, "SELECT id FROM sessions WHERE session_id = ?", (session_id,))
    return gather(db, found[0][0]) if found else None


def packed(contents: Contents) -> bytes:
    """The form of a session in a snapshot."""
    parts = {
        "format": FORMAT,
        "intact": contents.intact,
        "facts": dict(contents.facts),
        "messages": [contents.messages.columns, contents.messages.values],
        "state": [contents.state.columns, contents.state.values],
    }
    text = json.dumps(parts, ensure_ascii=False, separators=(",", ":"), default=_as_hex)
    return zlib.compress(text.encode(), _LEVEL)


def unpacked(body: bytes) -> Contents:
    """The session of this form; raises ValueError for what is none."""
    try:
        parts = json.loads(zlib.decompress(body), object_hook=_from_hex)
        known = parts["format"] == FORMAT
        if known:
            return Contents(
                parts["facts"], _as_rows(parts["messages"]), _as_rows(parts["state"]),
                parts["intact"],
            )  # fmt: skip
    except (zlib.error, KeyError, TypeError, UnicodeDecodeError) as error:
        raise ValueError(f"{type(error).__name__}: {error}") from error
    raise ValueError(f"its format is {parts['format']!r}, this release knows {FORMAT}")


def _rows(db: sqlite3.Connection, table: str, which: str, sid: int) -> Rows:
    """Rows of a session without the numbers of rows; computed columns are left out."""
    described = db.execute("SELECT name, type FROM pragma_table_info(?)", (table,)).fetchall()
    kinds = {name: kind for name, kind in described if name not in _DROPPED}
    try:
        values = db.execute(f"SELECT {', '.join(kinds)} FROM {table} WHERE {which}", (sid,))
        return Rows(tuple(kinds), values.fetchall())
    except sqlite3.OperationalError:  # text that is no UTF-8, which a fault of the disk leaves
        texts = [kind in ("TEXT", "ANY") for kind in kinds.values()]
        named = zip(kinds, texts, strict=True)
        some = ", ".join(f"CAST({name} AS BLOB)" if text else name for name, text in named)
        raw = db.execute(f"SELECT {some} FROM {table} WHERE {which}", (sid,)).fetchall()
    return Rows(tuple(kinds), [_decoded(row, texts) for row in raw])


def _decoded(row: tuple[Any, ...], texts: Sequence[bool]) -> tuple[Any, ...]:
    return tuple(
        _text(value) if text and type(value) is bytes else value
        for value, text in zip(row, texts, strict=True)
    )


def _text(value: bytes) -> str | bytes:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value


def _as_rows(parts: Any) -> Rows:
    columns, values = parts
    return Rows(tuple(columns), [tuple(row) for row in values])


def _as_hex(value: bytes) -> dict[str, str]:
    return {"hex": value.hex()}


def _from_hex(value: dict[str, Any]) -> Any:
    return bytes.fromhex(value["hex"]) if value.keys() == {"hex"} else value
