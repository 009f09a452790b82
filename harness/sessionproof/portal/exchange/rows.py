"""A portal's rows on their way out of a database, and into another: all tables, all columns.

What the database computes is not taken along. What it counts is taken along and compared: a file
whose counts are not those of its messages is refused.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, TypeAlias, TypeVar

from sqlalchemy import Column, Integer, Table, bindparam, case, insert, select, update
from sqlalchemy.orm import Session

from sessionproof.contract.errors import Refused
from sessionproof.portal.database import changed
from sessionproof.portal.models import Base, JsonObject
from sessionproof.portal.values import json_object, short, storable

T = TypeVar("T")

Value: TypeAlias = Any
"""A text, an integer, a JSON object as a dictionary, or None."""

Row: TypeAlias = Mapping[str, Value]
"""The values of a row by column."""

Source: TypeAlias = Callable[[str], Iterable[Row]]
"""The rows of a table, each time it is asked from the first one on."""

TABLES: Mapping[str, Table] = {table.name: table for table in Base.metadata.sorted_tables}
"""By name; a table comes after those that its rows refer to."""

AT_ONCE = 500
"""Rows that are handed to a database together."""

_COUNTED = ("message_count", "total_tokens", "last_message_at_us")
_LATER = (("status", "next_seq"), ("updated_at_us",))


def columns(table: str) -> dict[str, Column[Any]]:
    """The columns that are taken along, in their order."""
    return {one.name: one for one in TABLES[table].columns if one.computed is None}


def rows_of(session: Session, table: str) -> Iterator[Row]:
    """A table's rows by its key; messages by their conversation and number."""
    taken = columns(table)
    query = select(*taken.values()).order_by(*TABLES[table].primary_key)
    for part in session.execute(query.execution_options(yield_per=AT_ONCE)).partitions():
        for row in part:
            yield dict(zip(taken, row, strict=True))


def value_of(column: Column[Any], value: str | int | None) -> Value:
    """What a file has for a column, as a database takes it; JSON is a text in files.

    Raises ``ValueError``, ``Refused``.
    """
    if value is None:
        if not column.nullable:
            raise ValueError("is missing")
    elif isinstance(column.type, Integer) is not isinstance(value, int):
        raise ValueError(f"cannot be {'a text' if isinstance(value, str) else 'a number'}")
    elif isinstance(column.type, JsonObject):
        return json_object(json.loads(str(value)), "it")
    elif isinstance(value, str):
        return storable(value, "it")
    return value


def text_of(value: Value) -> str | int | None:
    """The same on the way into a file."""
    if isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return value  # type: ignore[no-any-return]


def put(session: Session, source: Source) -> dict[str, int]:
    """Store all rows, and answer how many of each table; what was there stays.

    Raises ``Conflict`` where a row is there already, ``Refused`` for rows that cannot be.
    """
    stored, last = dict[str, int](), dict[str, int]()
    for table in TABLES:
        rows = source(table)
        if table == "conversations":
            rows = _noted(map(as_new, rows), last)
        elif table == "messages":
            rows = _in_order(rows, last)
        stored[table] = sum(add(session, table, part) for part in parts(rows))
    for part in parts(source("conversations")):
        _require_counts(session, part)
        for step in zip(*(later(row) for row in part), strict=True):
            settle(session, [{"id": row["id"], **now} for row, now in zip(part, step, strict=True)])
    return stored


def _noted(conversations: Iterable[Row], last: dict[str, int]) -> Iterator[Row]:
    """The same, each noted with the last number that was seen of it: none yet."""
    for row in conversations:
        last[row["id"]] = 0
        yield row


def _in_order(messages: Iterable[Row], last: dict[str, int]) -> Iterator[Row]:
    """The same; raises ``Refused`` where a conversation is missing, or a number does not rise."""
    for row in messages:
        key, seq = row["conversation_id"], row["seq"]
        if key not in last:
            raise Refused(
                f"message {seq} belongs to conversation {short(key)}, which is not among them; "
                "nothing was stored"
            )
        if seq <= last[key]:
            raise Refused(
                f"message {seq} of conversation {short(key)} comes after {last[key]}: messages "
                "stand in their order; nothing was stored"
            )
        last[key] = seq
        yield row


def as_new(conversation: Row) -> Row:
    """A conversation as it was made: its messages will be counted as they come."""
    kept = {name: value for name, value in conversation.items() if name not in _COUNTED}
    return kept | {"status": "active", "next_seq": 1}


def later(conversation: Row) -> list[Row]:
    """What becomes of it once it has its messages, step by step: the time of change is the last.

    A change of anything else, by itself, would be told with the time of this moment.
    """
    return [{name: conversation[name] for name in names} for names in _LATER]


def add(session: Session, table: str, rows: Sequence[Row]) -> int:
    """Store new rows, all with the same columns, by few statements; answers how many."""
    into = TABLES[table]
    several = insert(into).returning(*into.primary_key)  # else each row is a statement of its own
    return len(session.execute(several, [dict(row) for row in rows]).all())


def settle(session: Session, rows: Sequence[Row]) -> None:
    """Change conversations, by their ``id``, in the columns that the rows have."""
    table = TABLES["conversations"]
    change = update(table).where(table.c.id.in_([row["id"] for row in rows]))
    for name in rows[0].keys() - {"id"}:
        values = {row["id"]: bindparam(None, row[name], table.c[name].type) for row in rows}
        change = change.values({name: case(values, value=table.c.id)})
    changed(session, change)


def parts(things: Iterable[T]) -> Iterator[list[T]]:
    """The rows, or what stands for them, as many at once as a database takes well."""
    left = iter(things)
    while part := list(islice(left, AT_ONCE)):
        yield part


def _require_counts(session: Session, rows: Sequence[Row]) -> None:
    """See that the database counted what the rows say."""
    table = TABLES["conversations"]
    query = select(table.c.id, *(table.c[name] for name in _COUNTED))
    query = query.where(table.c.id.in_([row["id"] for row in rows]))
    counted = {one.id: one for one in session.execute(query)}
    for row in rows:
        for name in _COUNTED:
            seen = getattr(counted[row["id"]], name)
            if row[name] != seen:
                raise Refused(
                    f"conversation {short(row['id'])} has {name} {row[name]}, and its messages "
                    f"make {seen}: rows are missing, or were changed; nothing was stored"
                )
