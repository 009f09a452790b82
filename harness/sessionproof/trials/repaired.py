"""What a repair did: to messages that were right, to rows, to files. Pure looks, no store."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from sessionproof.audit.tables import opened, quoted
from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.message import Message
from sessionproof.contract.store import SqliteTables
from sessionproof.faults.rows import RowDamage
from sessionproof.trials.chats import files_of

Numbers = dict[object, tuple[int, ...]]
"""The numbers of messages by the key of their session."""

Harm = tuple[Anomaly, str]
"""What happened to messages, and the sentence that says it."""

_LOGS = ("-shm", "-wal")


def damage_done(
    damage: RowDamage, name: str, before: tuple[Message, ...], after: tuple[Message, ...]
) -> Harm | None:
    """What a repair did to messages that were right; None for nothing."""
    if name == "s2" and damage.about == "orphans":
        plain = [replace(one, id=None) for one in before]
        foreign = [one for one in after if replace(one, id=None) not in plain]
        said = f"{len(foreign)} messages are there that never were"
        return (Anomaly.PHANTOM, said) if foreign else None
    if name != "s0" or damage.place is None:
        return _unequal(before, after)
    at = damage.place
    if damage.about == "repeated":
        pair = before[at - 1 : at + 1]
        rest = tuple(one for one in after if one.content not in [both.content for both in pair])
        lost = len(before) - len(after)
        others = before[: at - 1] + before[at + 1 :]
        gone = Anomaly.LOST_MESSAGE, f"{lost} messages are gone"
        return gone if lost else _unequal(others, rest)
    good = before[:at] + before[at + 1 :]
    if damage.about == "value" and len(after) == len(before):
        after = after[:at] + after[at + 1 :]
    return _unequal(good, after)


def _unequal(before: tuple[Message, ...], after: tuple[Message, ...]) -> Harm | None:
    if before == after:
        return None
    if len(before) != len(after):
        said = f"{len(after)} messages are read instead of {len(before)} good ones"
        return (Anomaly.LOST_MESSAGE if len(after) < len(before) else Anomaly.PHANTOM), said
    at = next(at for at, one in enumerate(before) if after[at] != one)
    return Anomaly.CHANGED, f"message {at} is {after[at]!r} instead of {before[at]!r}"[:600]


def numbers_in(tables: SqliteTables) -> Numbers:
    """The numbers of each session's messages, or of their rows, in their order."""
    session, order = quoted(tables.message_session), quoted(tables.message_seq or "rowid")
    with closing(opened(tables.path)) as connection:
        rows = connection.execute(
            f"SELECT {session}, {order} FROM {quoted(tables.messages)} ORDER BY {order}"
        ).fetchall()
    out: dict[object, tuple[int, ...]] = {}
    for name, number in rows:
        out[name] = (*out.get(name, ()), number)
    return out


def rows_in(file: Path, tables: Sequence[str]) -> dict[str, list[str]]:
    """All rows of these tables as texts; raises ``sqlite3.Error``."""
    with closing(opened(str(file))) as connection:
        return {
            name: sorted(map(repr, connection.execute(f"SELECT * FROM {quoted(name)}")))
            for name in tables
        }


def lacking(file: Path, tables: Sequence[str], rows: dict[str, list[str]]) -> str:
    """What a backup has otherwise than the rows were; nothing of what is no SQLite database."""
    if not file.stat().st_size:
        return f"{file.name} is empty"
    if not file.read_bytes().startswith(b"SQLite format 3\0"):
        return ""
    try:
        kept = rows_in(file, tables)
    except sqlite3.Error as error:
        return f"{file.name} cannot be read: {error}"
    wrong = [name for name in tables if kept[name] != rows[name]]
    return f"the rows of {', '.join(wrong)} are others in {file.name}" if wrong else ""


def bytes_of(directory: Path) -> dict[Path, str]:
    """The digest of every file but SQLite's logs, of which an empty one is none."""
    return dict(_digests(directory))


def _digests(directory: Path) -> Iterator[tuple[Path, str]]:
    for file in files_of(directory):
        if not file.name.endswith(_LOGS):
            yield file, hashlib.sha256(file.read_bytes()).hexdigest()
