"""Sessions as CSV: a folder with a file for each table, each with a header."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, TextIO

from sessionproof.contract.cells import from_cell, integer_from_cell, long_cells, to_cell
from sessionproof.contract.errors import Refused
from sessionproof.contract.message import Json, Message
from sessionproof.reference.arguments import short
from sessionproof.reference.exchange.conversations import (
    FACTS,
    NUMBERS,
    Conversation,
    Item,
    Tally,
    checked_facts,
)
from sessionproof.reference.opening import new_file

SESSIONS, STATE, MESSAGES = "sessions.csv", "state.csv", "messages.csv"

COLUMNS: Mapping[str, tuple[str, ...]] = {
    SESSIONS: ("session_id", *FACTS, "message_count"),
    STATE: ("session_id", "key", "value"),
    MESSAGES: (
        "session_id", "seq", "role", "kind", "content", "content_json", "name", "call_id",
        "arguments", "tokens", "duration_us", "created_at_us", "appended_at_us", "message_id",
        "metadata",
    ),
}  # fmt: skip
_INTEGERS = {
    *NUMBERS, "message_count", "seq", "tokens", "duration_us", "created_at_us", "appended_at_us",
}  # fmt: skip
_AS_JSON = {"metadata", "value", "content_json", "arguments"}


def write(conversations: Iterable[Conversation], folder: Path, tally: Tally) -> None:
    """Write the three files into an empty folder."""
    with ExitStack() as stack:
        put: dict[str, Callable[[Mapping[str, Any]], None]] = {}
        for name in COLUMNS:
            new_file(folder / name)
            file = stack.enter_context((folder / name).open("w", encoding="utf-8", newline=""))
            put[name] = _writer(file, COLUMNS[name])
        for one in tally.counted(conversations):
            named: dict[str, Any] = {"session_id": one.session_id}
            put[SESSIONS]({**named, **one.facts, "message_count": one.count})
            for key, value in one.state.items():
                put[STATE](named | {"key": key, "value": [value]})
            for item in one.messages:
                put[MESSAGES](named | _row(item))


def read(folder: Path) -> Iterator[Conversation]:
    """The sessions of such a folder; rows of state and messages stand in the order of sessions.

    Raises ``Refused`` that names file and row.
    """
    with long_cells(), ExitStack() as stack:
        rows = {name: stack.enter_context(_opened(folder / name)) for name in COLUMNS}
        states, messages = _Groups(rows[STATE]), _Groups(rows[MESSAGES])
        for row in rows[SESSIONS]:
            session_id = row.text("session_id")
            given = {name: row.get(name) for name in FACTS}
            try:
                facts = checked_facts(given)
            except Refused as error:
                raise row.refused(str(error)) from error
            state = {one.text("key"): one.json("value") for one in states.of(session_id)}
            count = row.get("message_count")
            items = (_item(one) for one in messages.of(session_id))
            yield Conversation(session_id, items, facts, state, count)
        for left in (states, messages):
            left.require_none()


@dataclass(frozen=True, slots=True)
class _Row:
    path: Path
    number: int
    cells: Mapping[str, str]

    def refused(self, why: str) -> Refused:
        return Refused(f"{self.path}, row {self.number}: {why}")

    def get(self, column: str) -> Any:
        """The value of a column, which may be None."""
        cell = self.cells[column]
        try:
            if column in _INTEGERS:
                return integer_from_cell(cell)
            text = from_cell(cell)
            return json.loads(text) if column in _AS_JSON and text is not None else text
        except (ValueError, RecursionError) as error:
            raise self.refused(f"{column}: {error}") from error

    def text(self, column: str) -> str:
        value = self.get(column)
        if type(value) is not str:
            raise self.refused(f"{column} is missing")
        return value

    def json(self, column: str) -> Json:
        if self.get(column) is None and from_cell(self.cells[column]) is None:
            raise self.refused(f"{column} is missing")
        value: Json = self.get(column)
        return value


class _Groups:
    """Rows that belong to sessions, which come in the same order."""

    def __init__(self, rows: Iterator[_Row]) -> None:
        self._groups = groupby(rows, lambda row: row.text("session_id"))
        self._ahead: tuple[str, Iterator[_Row]] | None = next(self._groups, None)

    def of(self, session_id: str) -> Iterator[_Row]:
        """The rows of the next session."""
        if self._ahead is not None and self._ahead[0] == session_id:
            yield from self._ahead[1]
            self._ahead = next(self._groups, None)

    def require_none(self) -> None:
        """Raise ``Refused`` when rows are left that belong to no session, or out of order."""
        if self._ahead is not None:
            row = next(self._ahead[1])
            raise row.refused(
                f"session {short(self._ahead[0])} is not in {SESSIONS}, or not in this order"
            )


@contextmanager
def _opened(path: Path) -> Iterator[Iterator[_Row]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            yield _rows(path, file)
    except UnicodeDecodeError as error:
        raise Refused(f"{path} is no UTF-8 ({error.reason})") from error
    except OSError as error:
        raise Refused(f"{path} cannot be read: {error.strerror or error}") from error


def _rows(path: Path, file: TextIO) -> Iterator[_Row]:
    reader = csv.reader(file, strict=True)
    try:
        header = next(reader, [])
        if sorted(header) != sorted(COLUMNS[path.name]):
            raise Refused(f"{path}: {_wrong_header(header, COLUMNS[path.name])}")
        for number, cells in enumerate(reader, 2):
            if len(cells) != len(header):
                raise Refused(
                    f"{path}, row {number}: {len(cells)} cells, and the header has {len(header)}"
                )
            yield _Row(path, number, dict(zip(header, cells, strict=True)))
    except csv.Error as error:
        raise Refused(f"{path}, after line {reader.line_num}: {error}") from error


def _wrong_header(header: Sequence[str], columns: Sequence[str]) -> str:
    lacks = [name for name in columns if name not in header]
    others = [
        short(name)
        for name in dict.fromkeys(header)
        if name not in columns or header.count(name) > 1
    ]
    wrong = [f"its header lacks {', '.join(lacks)}"] if lacks else []
    wrong += (
        [f"its header has {', '.join(others[:5])}, which is unknown or twice"] if others else []
    )
    return "; ".join(wrong)


def _writer(file: TextIO, columns: tuple[str, ...]) -> Callable[[Mapping[str, Any]], None]:
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(columns)

    def put(row: Mapping[str, Any]) -> None:
        writer.writerow([to_cell(_text_of(column, row.get(column))) for column in columns])

    return put


def _text_of(column: str, value: Any) -> str | int | None:
    if column not in _AS_JSON or value is None:
        return value  # type: ignore[no-any-return]
    # State may be None, which is a value: it comes in a list of one.
    return json.dumps(value[0] if column == "value" else value, separators=(",", ":"))


def _row(item: Item) -> dict[str, Any]:
    message = item.message
    text = message.content if isinstance(message.content, str) else None
    return {
        "seq": item.seq, "role": message.role, "kind": message.kind, "content": text,
        "content_json": None if text is not None else message.content, "name": message.name,
        "call_id": message.call_id, "arguments": message.arguments, "tokens": message.tokens,
        "duration_us": message.duration_us, "created_at_us": message.created_at_us,
        "appended_at_us": item.appended_at_us, "message_id": message.id,
        "metadata": message.metadata,
    }  # fmt: skip


def _item(row: _Row) -> Item:
    text, other = row.get("content"), row.get("content_json")
    if text is not None and other is not None:
        raise row.refused("content and content_json are both there")
    message = Message(
        row.get("role"), other if text is None else text, kind=row.text("kind"),
        name=row.get("name"), call_id=row.get("call_id"), arguments=row.get("arguments"),
        tokens=row.get("tokens"), duration_us=row.get("duration_us"),
        created_at_us=row.get("created_at_us"), id=row.get("message_id"),
        metadata=row.get("metadata"),
    )  # fmt: skip
    return Item(message, row.get("seq"), row.get("appended_at_us"))
