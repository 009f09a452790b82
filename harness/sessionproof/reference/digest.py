"""Digests of rows: the CRC-32 of all kept fields, four bytes in network order.

What is summed is one text: each field that is not NULL, as its letter and its value (numbers in
decimal, texts in UTF-8 with surrogates passed), in this order: ``r`` role, ``k`` kind, ``t``
tokens, ``a`` time of the append, ``d`` duration, ``c`` the client's time, ``i`` the client's id,
``n`` name, ``l`` call id, ``j`` content as JSON, ``g`` arguments, ``m`` metadata, ``x`` content as
text. A fault of the disk is found for certain when it flips up to 32 bits in a row.

Of a session it is ``s`` its id, ``g`` the tag of its messages' ids, ``c`` created, ``i`` idle
timeout, ``h`` hard deadline, ``o`` owner, ``t`` title, ``l`` model, ``m`` metadata; of a value of
its state ``k`` the key and ``v`` the value; of a snapshot ``i`` its id, ``s`` the session's, ``k``
kind, ``r`` reason, ``t`` when it was taken, ``n`` how many messages it has, ``b`` its body.

A row without a digest was written by another program, or before there were digests: it cannot be
verified, and is not wrong.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any
from zlib import crc32

from sessionproof.reference.codec import Row

_RARE = (
    ("d", "duration_us"), ("c", "created_at_us"), ("i", "message_id"), ("n", "name"),
    ("l", "call_id"), ("j", "content_json"), ("g", "arguments"), ("m", "metadata"),
)  # fmt: skip
_PLAIN = (
    "printf('r%sk%s%sa%dx', m.role, m.kind, ifnull('t' || m.tokens, ''), m.appended_at_us)"
    " || m.content"
)
_FULL = " || ".join(
    f"ifnull('{letter}' || m.{name}, '')"
    for letter, name in (
        ("r", "role"), ("k", "kind"), ("t", "tokens"), ("a", "appended_at_us"), *_RARE,
        ("x", "content"),
    )
)  # fmt: skip

TEXT = (
    f"CAST(ifnull(CASE WHEN coalesce({', '.join(f'm.{name}' for _, name in _RARE)}) IS NULL "
    f"AND m.role IS NOT NULL THEN {_PLAIN} END, {_FULL}) AS BLOB)"
)
"""SQL for the bytes that are summed, of ``messages AS m``. Most rows need the short way alone."""


def _summed(table: str, named: Mapping[str, str]) -> str:
    """SQL for the bytes of these columns by their letters."""
    parts = [f"ifnull('{letter}' || {table}.{name}, '')" for letter, name in named.items()]
    return f"CAST({' || '.join(parts)} AS BLOB)"


SESSION_TEXT = _summed(
    "sessions",
    {
        "s": "session_id", "g": "tag", "c": "created_at_us", "i": "idle_timeout_us",
        "h": "hard_deadline_us", "o": "owner", "t": "title", "l": "llm_model", "m": "metadata",
    },
)  # fmt: skip
"""SQL for the bytes that are summed of a session, of ``sessions``."""

STATE_TEXT = _summed("v", {"k": "key", "v": "value"})
"""The same of a value of its state, of ``state AS v``."""

_NOTHING_BEFORE, _NOTHING_AFTER = (None,) * 5, (None,) * 3  # the content of a plain row

_OF_SNAPSHOT = {
    "i": "snapshot_id", "s": "session_id", "k": "kind", "r": "reason", "t": "taken_at_us",
    "n": "message_count", "b": "body",
}  # fmt: skip
SNAPSHOT_TEXT = _summed("p", _OF_SNAPSHOT)
"""The same of a snapshot, of ``snapshots AS p``."""


def digest(row: Row, appended_at_us: int) -> bytes:
    """The digest of a row, given by its values of ``codec.COLUMNS``."""
    values: tuple[Any, ...] = row
    content = values[8]
    role, kind, number = values[:3]
    plain = type(content) is str and role is not None
    if plain and row[3:8] == _NOTHING_BEFORE and row[9:] == _NOTHING_AFTER:
        tokens = "" if number is None else f"t{number}"
        text = f"r{role}k{kind}{tokens}a{appended_at_us}x{content}"
    else:
        text = _in_full(row, appended_at_us)
    return _crc(text)


def session_digest(key: str, tag: str, created_at_us: int, facts: Mapping[str, Any]) -> bytes:
    """The digest of a new session; ``facts`` are columns that it is given."""
    named = (
        ("i", "idle_timeout_us"), ("h", "hard_deadline_us"), ("o", "owner"), ("t", "title"),
        ("l", "llm_model"), ("m", "metadata"),
    )  # fmt: skip
    known = [f"{one}{_text(facts[name])}" for one, name in named if facts.get(name) is not None]
    return _crc(f"s{key}g{tag}c{created_at_us}{''.join(known)}")


def state_digest(key: str, value: str) -> bytes:
    """The digest of a value of a session's state, which is JSON text."""
    return _crc(f"k{key}v{value}")


def snapshot_digest(values: Sequence[str | bytes | int | None]) -> bytes:
    """The digest of a snapshot, given by its values in the order of its letters."""
    summed = 0
    for letter, value in zip(_OF_SNAPSHOT, values, strict=True):
        if value is not None:
            raw = value if type(value) is bytes else str(value).encode("utf-8", "surrogatepass")
            summed = crc32(raw, crc32(letter.encode(), summed))
    return summed.to_bytes(4)


def digest_of(summed: bytes) -> bytes:
    """The digest of bytes that SQL made."""
    return crc32(summed).to_bytes(4)


def _crc(text: str) -> bytes:
    try:
        return crc32(text.encode()).to_bytes(4)
    except UnicodeEncodeError:
        return crc32(text.encode("utf-8", "surrogatepass")).to_bytes(4)


def same_digest(text: bytes, kept: object) -> bool:
    """Whether the digest that was kept is that of these bytes."""
    return crc32(text).to_bytes(4) == kept


def add_function(connection: sqlite3.Connection) -> None:
    """Let SQL on this connection call ``same_digest(text, kept)``."""
    connection.create_function("same_digest", 2, same_digest, deterministic=True)


def first_changed(rows: Sequence[Sequence[object]]) -> int | None:
    """The first place of a row (bytes, digest, …) that is not what was written; None without."""
    for place, (text, kept, *_) in enumerate(rows):
        if kept is not None and not same_digest(text, kept):  # type: ignore[arg-type]
            return place
    return None


def _in_full(row: Row, appended_at_us: int) -> str:
    (role, kind, tokens, duration_us, created_at_us, message_id, name, call_id,
     content, content_json, arguments, metadata) = row  # fmt: skip
    values = (
        role, kind, tokens, appended_at_us, duration_us, created_at_us, message_id, name, call_id,
        content_json, arguments, metadata, content,
    )  # fmt: skip
    return "".join(
        f"{letter}{_text(value)}"
        for letter, value in zip("rktadcinljgmx", values, strict=True)
        if value is not None
    )


def _text(value: str | bytes | int) -> str:
    return value.decode("utf-8", "surrogatepass") if type(value) is bytes else str(value)
