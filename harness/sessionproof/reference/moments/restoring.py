"""A snapshot becomes a session again: the same numbers, the same ids of messages.

A session that is there keeps its tag, and its next number never goes back. One that is gone comes
back under a new tag, as the numbers after the snapshot may have been given before it went: its
messages carry the ids that they had, and no id is ever given to two messages.
"""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

from sessionproof.contract.errors import Refused
from sessionproof.reference.arguments import short
from sessionproof.reference.codec import COLUMNS, Value
from sessionproof.reference.connections import transaction
from sessionproof.reference.digest import SESSION_TEXT, digest, digest_of
from sessionproof.reference.moments.contents import Contents, Rows, gather_named
from sessionproof.reference.moments.keeping import RESTORE, Taken, put, row_of
from sessionproof.reference.statements import NAME_MESSAGE, fetch, is_of

_NAMES = ("session_id", "tag")
_COUNTED = ("message_count", "total_tokens", "total_duration_us", "next_seq")
_OTHERWISE = ("session_id", "tag", "checksum", "next_seq", "look_at_us")
"""Facts in which a session may differ from its snapshot and still be the same."""
_RETOLD = ("message_id", "digest")
"""Columns of messages that follow the tag."""


def renamed(contents: Contents) -> Rows:
    """The messages as they are under another tag: each has its id written out."""
    old, rows = contents.facts["tag"], contents.messages
    return Rows(rows.columns, [_with_id(row, own_id(old, row)) for row in rows.named()])


def restore(
    db: sqlite3.Connection,
    taken: Taken,
    session_id: str,
    now_us: int,
    *,
    replace: bool,
    written_out: Rows | None = None,
) -> None:
    """Make the session as it was, in one transaction.

    Raises ``Refused`` where it has messages that the snapshot has not, unless ``replace``. What
    is there and is otherwise is kept as a snapshot before. ``written_out`` are the messages as
    ``renamed``, where they were made before others had to wait.
    """
    wanted = taken.contents
    with transaction(db):
        there = gather_named(db, session_id)
        if there is not None:
            newer = newer_than(there, wanted)
            if newer is None:
                return
            if newer and not replace:
                raise refused(session_id, newer)
            put(db, row_of(there, RESTORE, now_us, reason_of(taken)), keep=None)
            fetch(db, "DELETE FROM sessions WHERE session_id = ?", (session_id,))
        _make(db, wanted, session_id, there, written_out)


def newer_than(there: Contents, wanted: Contents) -> int | None:
    """How many messages are there that the snapshot has not; None where nothing is otherwise."""
    columns = [one for one in wanted.messages.columns if one not in _RETOLD]
    live, old = [*_told(there, columns)], [*_told(wanted, columns)]
    if live == old and _facts(there, wanted.facts) == _facts(wanted, wanted.facts):
        return None
    return len({*live} - {*old})


def reason_of(taken: Taken) -> str:
    """Why the session that is there is kept before this snapshot takes its place."""
    return f"before {taken.info.snapshot_id} was restored"


def refused(session_id: str, newer: int) -> Refused:
    """The error for a session with so many messages that the snapshot has not."""
    some = "a message" if newer == 1 else f"{newer:,} messages"
    return Refused(
        f"session {short(session_id)} has {some} that the snapshot has not: restore it under "
        "another id, or with replace, which keeps what is there as a snapshot"
    )


def _make(
    db: sqlite3.Connection,
    wanted: Contents,
    session_id: str,
    there: Contents | None,
    written_out: Rows | None,
) -> None:
    """Insert the session with its messages and its state; nothing has its name."""
    facts = dict(wanted.facts)
    tag = secrets.token_hex(8) if there is None else there.facts["tag"]
    fetch(
        db,
        "INSERT INTO sessions (session_id, tag, created_at_us, last_activity_us) "
        "VALUES (?, ?, ?, ?)",
        (session_id, tag, facts["created_at_us"], facts["last_activity_us"]),
    )
    ((sid,),) = fetch(db, "SELECT id FROM sessions WHERE session_id = ?", (session_id,))
    rows = wanted.messages if tag == facts["tag"] else written_out or renamed(wanted)
    rows, names = _without_names(tag, rows)
    _insert_messages(db, sid, rows)
    _insert(db, "state", sid, wanted.state)
    # What the session itself says comes last: its limits and status refuse no message of its own.
    following = facts["next_seq"] if there is None else max(facts["next_seq"], _next(there))
    _set(db, sid, facts, following)
    db.executemany(NAME_MESSAGE, [(*name, sid, seq) for *name, seq in names])
    if facts["checksum"] is not None:
        _sum_again(db, sid, facts["checksum"], intact=wanted.intact)


def _without_names(tag: str, rows: Rows) -> tuple[Rows, list[tuple[Value, ...]]]:
    """The messages without ids that are ``is_of`` the session; those ids, digests and numbers."""
    kept, names = [], list[tuple[Value, ...]]()
    at = rows.columns.index("message_id")
    for values in rows.values:
        if is_of(tag, values[at]):
            row = dict(zip(rows.columns, values, strict=True))
            names.append((row["message_id"], row["digest"], row["seq"]))
            kept.append(tuple((row | dict.fromkeys(_RETOLD)).values()))
        else:
            kept.append(values)
    return Rows(rows.columns, kept), names


def _with_id(row: dict[str, Any], name: str) -> tuple[Value, ...]:
    if row["message_id"] is not None:
        return tuple(row.values())
    renamed = row | {"message_id": name}
    if _is_as_written(row):
        renamed["digest"] = _digest(renamed)  # else it was wrong before, and stays so
    return tuple(renamed.values())


def own_id(tag: str, row: Mapping[str, Any]) -> str:
    """The id of a message that was given none by its client."""
    return f"{tag}.{row['seq']}"


def _is_as_written(row: Mapping[str, Any]) -> bool:
    try:
        return row["digest"] is not None and row["digest"] == _digest(row)
    except UnicodeDecodeError:  # nobody wrote bytes that are no text
        return False


def _digest(row: Mapping[str, Any]) -> bytes:
    return digest(tuple(row[name] for name in COLUMNS), row["appended_at_us"])


def _insert_messages(db: sqlite3.Connection, sid: int, rows: Rows) -> None:
    """Insert them with their numbers: the schema takes each run without a gap."""
    place = rows.columns.index("seq")
    starts = [0, *(at for at, (one, other) in enumerate(pairwise(rows.values), 1)
                   if other[place] != one[place] + 1), len(rows.values)]  # type: ignore[operator]  # fmt: skip
    for start, end in pairwise(starts):
        run = rows.values[start:end]
        if run:
            db.execute("UPDATE sessions SET next_seq = ? WHERE id = ?", (run[0][place], sid))
            _insert(db, "messages", sid, Rows(rows.columns, run))


def _insert(db: sqlite3.Connection, table: str, sid: int, rows: Rows) -> None:
    columns = ", ".join(rows.columns)
    marks = ", ".join("?" for _ in rows.columns)
    db.executemany(f"INSERT INTO {table} (sid, {columns}) VALUES ({sid}, {marks})", rows.values)


def _set(db: sqlite3.Connection, sid: int, facts: Mapping[str, Any], following: int) -> None:
    own = {name: facts[name] for name in facts if name not in (*_NAMES, *_COUNTED, "checksum")}
    columns = {**own, "next_seq": following}
    settings = ", ".join(f"{name} = ?" for name in columns)
    db.execute(f"UPDATE sessions SET {settings} WHERE id = ?", (*columns.values(), sid))


def _sum_again(db: sqlite3.Connection, sid: int, kept: bytes, *, intact: bool) -> None:
    """The session's digest under its name and tag of now; one that was wrong stays so."""
    ((summed,),) = fetch(db, f"SELECT {SESSION_TEXT} FROM sessions WHERE id = ?", (sid,))
    checksum = digest_of(summed) if intact else kept
    db.execute("UPDATE sessions SET checksum = ? WHERE id = ?", (checksum, sid))


def _next(contents: Contents) -> int:
    return int(contents.facts["next_seq"])


def _facts(contents: Contents, names: Iterable[str]) -> Sequence[Any]:
    """What the session says of itself, and its state, as they are compared."""
    facts = [contents.facts.get(name) for name in names if name not in _OTHERWISE]
    return [*facts, *contents.state.named()]


def _told(contents: Contents, columns: Sequence[str]) -> Iterator[tuple[Value, ...]]:
    """Each message as it is compared: with its id written out."""
    tag = contents.facts["tag"]
    for row in contents.messages.named():
        own = row["message_id"]
        name = own_id(tag, row) if own is None else own
        yield (name, *(row[one] for one in columns))
