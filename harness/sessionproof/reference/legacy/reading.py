"""Sessions and messages of an old file, by the layout of its schema.

Indexes are not used: one that is damaged would hide rows.
"""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import groupby
from operator import itemgetter
from typing import Any, TypeAlias

from sessionproof.audit.catalog import Catalog
from sessionproof.audit.tables import quoted
from sessionproof.contract.errors import Refused, StoreError
from sessionproof.contract.message import Json
from sessionproof.reference.codec import Row, encode
from sessionproof.reference.legacy.aside import Aside
from sessionproof.reference.legacy.layouts import Layout
from sessionproof.reference.legacy.values import Manner, Reading, Unusable, message_of

HIGHEST = 2**53
"""The highest number of a message that is believed."""

_FIRST = -(2**63)


@dataclass(frozen=True, slots=True)
class OldSession:
    """A session: its id, columns of ``sessions`` to set, its state; what the program counted."""

    key: str
    facts: Mapping[str, Any]
    status: str
    created_us: int | None
    active_us: int | None
    state: Mapping[str, Json]
    counted: tuple[object, object]


@dataclass(frozen=True, slots=True)
class OldMessage:
    """A message as the values of ``codec.COLUMNS``, its number and its time.

    The number is None where none is kept, and where it cannot be kept: then ``placed`` is true.
    """

    number: int | None
    placed: bool
    row: Row
    time_us: int | None


Group: TypeAlias = tuple[str, list[OldMessage]]


class Old:
    """The tables of one file, read by its layout; what is not usable goes aside."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        found: Catalog,
        layout: Layout,
        *,
        manner: Manner,
        aside: Aside,
    ) -> None:
        """``connection`` is in a read transaction. Raises ``Refused`` without the main columns."""
        connection.text_factory = _text
        self._db, self._found, self._layout = connection, found, layout
        self._manner, self._aside = manner, aside
        self._refused = set[int]()  # rows of sessions that are put aside, by rowid
        for table, columns in {
            layout.sessions: (layout.key,),
            layout.messages: (layout.message_key, layout.content),
        }.items():
            if not found.has(table, *columns):
                raise Refused(f"the table {table} has not the columns {', '.join(columns)}")

    def sessions(self) -> Iterator[OldSession]:
        """All sessions in the order in which they were made; each id once."""
        layout, seen, limits = self._layout, set[str](), self._limits()
        columns = {
            "key": layout.key, "created": layout.created, "active": layout.active,
            "status": layout.status, "title": layout.title, "owner": layout.owner,
            "llm_model": layout.llm_model, "metadata": layout.metadata, "expires": layout.expires,
            "messages": layout.counters[0], "tokens": layout.counters[1],
        } | {f"state {name}": name for name in layout.state}  # fmt: skip
        for row in self._rows(layout.sessions, columns, order="rowid"):
            key = _key(row["key"])
            if key is None or key in seen:
                why = "the id is NULL, or no text" if key is None else "the id is another row's"
                self._put(layout.sessions, row, why)
                self._refused.add(row["rowid"])
            else:
                seen.add(key)
                yield self._session(key, row, limits.get(row["key"], (None, None)))

    def groups(self, known: Container[str]) -> Iterator[Group]:
        """The messages of each session that is known, in the order of the chat."""
        layout = self._layout
        columns = {
            "key": layout.message_key, "message_id": layout.message_id, "number": layout.number,
            "role": layout.role, "content": layout.content, "time": layout.time,
            "tokens": layout.tokens, "duration_s": layout.duration_s,
            "metadata": layout.message_metadata,
        }  # fmt: skip
        rows = self._rows(
            layout.messages, columns, order=f"{quoted(layout.message_key)} COLLATE BINARY, rowid"
        )
        if layout.messages == layout.sessions:  # the same rows: those were put aside as sessions
            rows = (row for row in rows if row["rowid"] not in self._refused)
        for raw, group in groupby(rows, itemgetter("key")):
            key = _key(raw)
            if key is not None and key in known:
                yield key, self._ordered(group)
            else:
                why = "the id of their session is NULL" if key is None else "their session is gone"
                for row in group:
                    self._put(layout.messages, row, why)

    def models(self) -> list[str]:
        """The models that were known, named by a session or not."""
        if self._layout.models is None:
            return []
        table, column = self._layout.models
        if not self._found.has(table, column):
            return []
        rows = self._db.execute(f"SELECT {quoted(column)} FROM {quoted(table)} ORDER BY rowid")
        return [name for (name,) in rows if isinstance(name, str)]

    def _ordered(self, group: Iterator[dict[str, Any]]) -> list[OldMessage]:
        """Messages by their numbers, or by their times where those are all there is."""
        placed: list[tuple[float, OldMessage]] = []
        ids, last = set[object](), _FIRST
        for row in group:
            reading = Reading(self._manner)
            try:
                message = message_of(row, reading, always=self._layout.always)
                if message.id is not None and message.id in ids:
                    reading.corrected.append("the id is that of another message: a new one")
                    message = replace(message, id=None)
                values = encode(message)
            except (Unusable, StoreError) as why:
                self._put(self._layout.messages, row, str(why))
                continue
            ids.add(message.id)
            last = last if message.created_at_us is None else message.created_at_us
            place = last if self._layout.number is None else _place(row["number"])
            number = row["number"]
            one = OldMessage(_number(number), number is not None, values, message.created_at_us)
            placed.append((place, one))
            self._corrected(self._layout.messages, row, reading)
        return [one for _, one in sorted(placed, key=itemgetter(0))]

    def _session(self, key: str, row: dict[str, Any], limits: tuple[object, object]) -> OldSession:
        reading = Reading(self._manner)
        idle_s, expires = limits
        facts = {
            "title": reading.text(row["title"], "title"),
            "owner": reading.text(row["owner"], "owner"),
            "llm_model": reading.text(row["llm_model"], "model"),
            "metadata": reading.json_object(row["metadata"], "metadata"),
            "idle_timeout_us": reading.amount(idle_s, "idle limit", times=1_000_000) or None,
            "hard_deadline_us": reading.time_us(
                row["expires"] if expires is None else expires, "time of the end"
            ),
        }
        status = reading.status(row["status"])
        state: dict[str, Json] = {
            name: reading.text(row[f"state {name}"], name)
            for name in self._layout.state
            if row[f"state {name}"] is not None
        }
        if row["status"] not in (status, None):
            state["legacy_status"] = reading.text(row["status"], "status")
        session = OldSession(
            key=key,
            facts=facts,
            status=status,
            created_us=reading.time_us(row["created"], "time of creation"),
            active_us=reading.time_us(row["active"], "time of the last activity"),
            state=state,
            counted=(row["messages"], row["tokens"]),
        )
        self._corrected(self._layout.sessions, row, reading)
        return session

    def _limits(self) -> dict[object, tuple[object, object]]:
        """Idle seconds and end of the sessions that the old program ever judged."""
        table = self._layout.limits
        if table is None or not self._found.has(table, self._layout.key):
            return {}
        columns = {
            "key": self._layout.key, "idle": "idle_timeout_seconds", "expires": "expires_at"
        }  # fmt: skip
        rows = self._rows(table, columns, order="rowid")
        return {row["key"]: (row["idle"], row["expires"]) for row in rows}

    def _rows(
        self, table: str, columns: Mapping[str, str | None], *, order: str
    ) -> Iterator[dict[str, Any]]:
        """The rows with these columns under these names, and their ``rowid``."""
        named = [
            quoted(column) if column and self._found.has(table, column) else "NULL"
            for column in columns.values()
        ]
        names = ("rowid", *columns)
        rows = self._db.execute(
            f"SELECT rowid, {', '.join(named)} FROM {quoted(table)} NOT INDEXED ORDER BY {order}"
        )
        return (dict(zip(names, row, strict=True)) for row in rows)

    def _corrected(self, table: str, row: dict[str, Any], reading: Reading) -> None:
        for why in reading.corrected:
            self._aside.correct(table, self._whole(table, row["rowid"]), why)

    def _put(self, table: str, row: dict[str, Any], why: str) -> None:
        self._aside.put(table, self._whole(table, row["rowid"]), why)

    def _whole(self, table: str, rowid: int) -> dict[str, Any]:
        """The row with all of its columns."""
        found = self._db.execute(f"SELECT * FROM {quoted(table)} WHERE rowid = ?", (rowid,))
        names = [column[0] for column in found.description]
        return dict(zip(names, found.fetchone(), strict=True))


def _number(value: object) -> int | None:
    return value if type(value) is int and 1 <= value <= HIGHEST else None


def _place(number: object) -> float:
    """Where a message stands; those without a number come last."""
    return number if isinstance(number, int | float) else math.inf


def _key(value: object) -> str | None:
    """The id of a session as a text; None for what is none."""
    if isinstance(value, bytes):
        return None
    return None if value is None else str(value)


def _text(raw: bytes) -> str:
    """What a text column holds, also what is no UTF-8: each wrong byte as a lone surrogate."""
    try:
        return raw.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return raw.decode("utf-8", "surrogateescape")
