"""A session with its messages, checked and put into a database with the numbers that it has."""

from __future__ import annotations

import re
import secrets
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sessionproof.contract.errors import Refused
from sessionproof.reference.codec import (
    COLUMNS,
    MOST,
    Row,
    checked_json,
    checked_text,
    encode,
    to_text,
)
from sessionproof.reference.connections import transaction
from sessionproof.reference.digest import SESSION_TEXT, digest, digest_of, state_digest
from sessionproof.reference.exchange.conversations import FACTS, TIME_MOST_US, Conversation, Item
from sessionproof.reference.statements import NAME_MESSAGE, change, fetch, is_of

_AT_FIRST = ("tag", "owner", "title", "llm_model", "metadata")
_AT_LAST = tuple(name for name in FACTS if name not in (*_AT_FIRST, "next_seq", "created_at_us"))
"""What messages move, or what keeps them away."""

_SESSION = (
    "INSERT INTO sessions (session_id, created_at_us, last_activity_us, "
    f"{', '.join(_AT_FIRST)}) VALUES ({', '.join('?' * (3 + len(_AT_FIRST)))}) RETURNING id"
)
_MESSAGE = (
    f"INSERT INTO messages (sid, seq, {', '.join(COLUMNS)}, appended_at_us, digest) "
    f"VALUES ({', '.join('?' * (len(COLUMNS) + 4))})"
)
_STATE = "INSERT INTO state (sid, key, value, checksum) VALUES (?, ?, ?, ?)"
_SKIP = "UPDATE sessions SET next_seq = ? WHERE id = ?"
_FINISH = (
    f"UPDATE sessions SET {', '.join(f'{name} = coalesce(?, {name})' for name in _AT_LAST)}, "
    f"next_seq = max(next_seq, ?) WHERE id = ? RETURNING {SESSION_TEXT}"
)
_CHECKSUM = "UPDATE sessions SET checksum = ? WHERE id = ?"
_TAG = re.compile(r"[0-9a-f]{16}")
_CREATED, _GIVEN_ID = COLUMNS.index("created_at_us"), COLUMNS.index("message_id")


@dataclass(frozen=True, slots=True)
class Ready:
    """A session that can be stored: its id, columns, state as JSON texts, and encoded messages.

    Each message is its row, its number or None for the next one, and its time or None for now.
    """

    key: str
    facts: Mapping[str, Any]
    state: tuple[tuple[str, str], ...]
    rows: tuple[tuple[Row, int, int | None], ...]


def prepared(one: Conversation) -> Ready:
    """The session with its messages in memory; raises ``Refused`` for what none may be."""
    key = secrets.token_hex(16) if one.session_id is None else one.session_id
    facts = dict(one.facts)
    tag = facts.setdefault("tag", secrets.token_hex(8))
    if not _TAG.fullmatch(tag):
        raise Refused("tag must be 16 hexadecimal digits")
    facts["metadata"] = to_text(facts.get("metadata"))
    state = tuple(
        (checked_text(name, "key"), checked_json(value, "value"))
        for name, value in one.state.items()
    )
    rows = _numbered(one)
    if one.count is not None and one.count != len(rows):
        raise Refused(f"it has {len(rows):,} messages, and should have {one.count}")
    return Ready(checked_text(key, "session_id"), facts, state, rows)


def put(db: sqlite3.Connection, ready: Ready, now_us: int) -> None:
    """Store the session in one transaction; the schema refuses an id that is taken."""
    times = [_time_us(row, appended_us, now_us) for row, _, appended_us in ready.rows]
    created_us = ready.facts.get("created_at_us", min(times, default=now_us))
    with transaction(db):
        first = [ready.facts.get(name) for name in _AT_FIRST]
        ((sid,),) = fetch(db, _SESSION, (ready.key, created_us, created_us, *first))
        following = 1
        names = []
        for (row, seq, _), time_us in zip(ready.rows, times, strict=True):
            if seq != following:
                change(db, _SKIP, (seq, sid))
            summed = digest(row, time_us)
            if is_of(ready.facts["tag"], row[_GIVEN_ID]):
                names.append((row[_GIVEN_ID], summed, sid, seq))
                unnamed = (*row[:_GIVEN_ID], None, *row[_GIVEN_ID + 1 :])
                change(db, _MESSAGE, (sid, seq, *unnamed, time_us, None))
            else:
                change(db, _MESSAGE, (sid, seq, *row, time_us, summed))
            following = seq + 1
        for name, value in ready.state:
            change(db, _STATE, (sid, name, value, state_digest(name, value)))
        last = [ready.facts.get(name) for name in _AT_LAST]
        ((text,),) = fetch(db, _FINISH, (*last, ready.facts.get("next_seq", 1), sid))
        change(db, _CHECKSUM, (digest_of(text), sid))
        for named in names:
            change(db, NAME_MESSAGE, named)


def _numbered(one: Conversation) -> tuple[tuple[Row, int, int | None], ...]:
    rows: list[tuple[Row, int, int | None]] = []
    ids = set[object]()
    following = 1
    for place, item in enumerate(one.messages, 1):
        try:
            row = encode(item.message)
            seq = following if item.seq is None else _number(item, following)
            appended_us = item.appended_at_us
            if appended_us is not None and abs(appended_us) > TIME_MOST_US:
                raise Refused(f"appended_at_us is beyond {TIME_MOST_US}")
        except Refused as error:
            raise type(error)(f"message {place}: {error}") from error
        given = row[_GIVEN_ID]
        if given is not None and given in ids:
            raise Refused(f"message {place}: its id is that of another one")
        ids.add(given)
        rows.append((row, seq, appended_us))
        following = seq + 1
    return tuple(rows)


def _number(item: Item, least: int) -> int:
    if item.seq is None or not least <= item.seq < MOST:
        raise Refused(f"its number is {item.seq}, and must be at least {least}")
    return item.seq


def _time_us(row: Row, appended_us: int | None, now_us: int) -> int:
    if appended_us is not None:
        return appended_us
    created_us = row[_CREATED]
    return created_us if isinstance(created_us, int) and created_us <= TIME_MOST_US else now_us
