"""Databases of other libraries, read without them and never written to, as sessions."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

from sessionproof.audit.catalog import Catalog, catalog
from sessionproof.audit.tables import quoted
from sessionproof.contract.errors import Refused, StoreError
from sessionproof.contract.message import Message
from sessionproof.reference.codec import encode
from sessionproof.reference.copying import on_state
from sessionproof.reference.exchange import full
from sessionproof.reference.exchange.conversations import Conversation, Item, Tally
from sessionproof.reference.exchange.library_items import from_langchain, from_response
from sessionproof.reference.failures import ERRORS, as_store_error
from sessionproof.reference.legacy.times import to_us


@dataclass(frozen=True, slots=True)
class Library:
    """How a library keeps its messages: columns of its tables, and what an item says.

    ``created`` is the column of times of messages, ``sessions`` the columns of a table of sessions;
    None where there is none.
    """

    item: str
    created: str | None
    sessions: tuple[str, ...] | None
    messages: Callable[[Mapping[str, Any]], list[Message]]

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns by which its table of messages is known."""
        named = ("id", "session_id", self.item)
        return named if self.created is None else (*named, self.created)


LIBRARIES: Mapping[str, Library] = {
    "openai-agents": Library(
        "message_data", "created_at", ("session_id", "created_at", "updated_at"), from_response
    ),
    "langchain": Library("message", None, None, from_langchain),
}
"""The libraries whose databases are known, by name. Their tables may have any names."""


def convert(source: Path, library: str, target: Path, tally: Tally) -> None:
    """Write the sessions of a library's database as a full export into the new file ``target``.

    What could not be taken is counted in the tally. Raises ``Refused``.
    """

    def work(db: sqlite3.Connection) -> Tally:
        counted = Tally()  # anew, as this may be called again
        with target.open("w", encoding="ascii", newline="\n") as file:
            full.write(_conversations(db, source, LIBRARIES[library], counted), file, counted)
        return counted

    try:
        done = on_state(source, work)
    except ERRORS as error:
        raise as_store_error(error, path=source, writes=False) from error
    tally.left_out |= done.left_out


def library_of(db: sqlite3.Connection) -> str | None:
    """The library whose tables a database has; None for another."""
    found = catalog(db)
    return next((name for name, one in LIBRARIES.items() if _tables(found, one.columns)), None)


def _tables(found: Catalog, columns: Iterable[str]) -> list[str]:
    return sorted(name for name in found.tables if found.has(name, *columns))


def _conversations(
    db: sqlite3.Connection, path: Path, library: Library, tally: Tally
) -> Iterator[Conversation]:
    found = catalog(db)
    named = _tables(found, library.columns)
    if len(named) != 1:
        what = f"{len(named)} tables" if named else "no table"
        raise Refused(f"{path} has {what} with the columns {', '.join(library.columns)}")
    (messages,) = named
    times = _times(db, found, library, messages)
    taken = {messages, *_tables(found, library.sessions or ("",))}
    for name in sorted(found.tables.keys() - taken):
        if not name.startswith("sqlite_"):
            (rows,) = db.execute(f"SELECT count(*) FROM {quoted(name)}").fetchone()
            if rows:
                tally.left_out[f"rows of the table {name}"] = rows
    created = "NULL" if library.created is None else quoted(library.created)
    rows = db.execute(
        f"SELECT CAST(session_id AS TEXT), id, {quoted(library.item)}, {created} "
        f"FROM {quoted(messages)} WHERE session_id IS NOT NULL ORDER BY 1, id"
    )
    for key, group in groupby(rows, itemgetter(0)):
        facts = times.pop(key, {})
        yield Conversation(key, _items(group, library, tally), facts)
    for key, facts in times.items():
        yield Conversation(key, (), facts)


def _times(
    db: sqlite3.Connection, found: Catalog, library: Library, messages: str
) -> dict[str, dict[str, Any]]:
    """Sessions of the library's table of them, if it has one, with their times."""
    tables = _tables(found, library.sessions) if library.sessions else []
    rows: list[tuple[Any, ...]] = []
    for table in tables:
        if table != messages:
            rows += db.execute(
                "SELECT CAST(session_id AS TEXT), created_at, updated_at "
                f"FROM {quoted(table)} WHERE session_id IS NOT NULL ORDER BY rowid"
            )
    times = {}
    for key, created, updated in rows:
        read = {"created_at_us": to_us(created), "last_activity_us": to_us(updated)}
        times[key] = {name: value for name, value in read.items() if value is not None}
    return times


def _items(rows: Iterable[tuple[Any, ...]], library: Library, tally: Tally) -> Iterator[Item]:
    ids = set[str]()
    for _, _, text, created in rows:
        try:
            item = json.loads(text)
            messages = library.messages(item)
            for message in messages:
                encode(message)
        except (ValueError, TypeError, AttributeError, RecursionError, StoreError):
            tally.leave_out("messages that could not be read")
            continue
        for message in messages:
            yield Item(_with_own_id(message, ids), appended_at_us=to_us(created))


def _with_own_id(message: Message, ids: set[str]) -> Message:
    """The message, whose id goes into its metadata when an earlier one has it."""
    if message.id is None or message.id not in ids:
        ids.add(message.id or "")
        return message
    metadata = {**(message.metadata or {}), "id": message.id}
    return replace(message, id=None, metadata=metadata)
