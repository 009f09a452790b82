"""Files of the legacy schemas, drawn by seed: what they hold, and what of it are messages.

Each has sessions whose messages are all valid, with NULLs and times of several forms; all but the
first of a schema also have rows without a session, and counters that have drifted.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta, timezone
from importlib.resources import files
from itertools import count
from pathlib import Path
from random import Random  # noqa: TID251 - for the type alone
from typing import Any

from sessionproof.contract.message import Json, Message
from sessionproof.contract.seed import generator

SCHEMAS = ("enhanced", "plain", "portal", "manager")

_BEGIN_US = 1_767_225_600_000_000  # 2026-01-01, 00:00 UTC
_METADATA: Mapping[str, Json] = {"model": "m-1", "n": 2}
_TEXTS = (
    "how are you?", "it's fine", 'he said "no"', "two\nlines", "日本語", "🙂 and more",
    '{"json": true}', "NULL", "100 % _ \\", "  blanks  ",
)  # fmt: skip


@dataclass(frozen=True)
class LegacyFile:
    """A file as statements, and what it must become.

    ``sessions`` are the valid messages by session; None among their values says that the store may
    answer anything. ``stray`` are texts of rows that no session has. ``logged``: the newest rows
    are still in the file's log.
    """

    schema: str
    statements: Sequence[tuple[str, Sequence[Any]]]
    sessions: Mapping[str, tuple[Message, ...]]
    stray: tuple[str, ...]
    logged: bool

    @property
    def messages(self) -> int:
        """How many valid messages there are."""
        return sum(map(len, self.sessions.values()))

    @property
    def words(self) -> str:
        """What the file is, for people."""
        stray = f", {len(self.stray)} without a session" if self.stray else ""
        log = ", the newest of them in its log" if self.logged else ""
        return (
            f"a file of the {self.schema} schema, with {len(self.sessions)} sessions and "
            f"{self.messages + len(self.stray)} messages{stray}{log}"
        )


def drawn(seed: int, schema: str, number: int) -> LegacyFile:
    """The file of this number; that of number 0 has valid rows alone, and no log."""
    random = generator(seed, "legacy", schema, number)
    draft = _Draft(random)
    sessions = {f"{schema}-{at}": draft.messages(schema) for at in range(random.randint(2, 4))}
    rows = list(_ROWS[schema](draft, sessions, damaged=number > 0))
    return LegacyFile(
        schema=schema,
        statements=rows,
        sessions=sessions,
        stray=tuple(draft.stray),
        logged=number > 0 and (number + SCHEMAS.index(schema)) % 2 == 1,
    )


def written(legacy: LegacyFile, path: Path) -> None:
    """Write the file; where it is logged, its log lies beside it, as after a crash of its user."""
    sql = (files("sessionproof") / "legacy" / f"{legacy.schema}.sql").read_text("utf-8")
    half = len(legacy.statements) // 2
    with tempfile.TemporaryDirectory(prefix="legacy-", dir=path.parent) as folder:
        draft = Path(folder, path.name)
        with closing(sqlite3.connect(draft, isolation_level=None)) as connection:
            connection.execute("PRAGMA synchronous = OFF")  # nobody pulls the plug on a trial
            if legacy.logged:
                connection.execute("PRAGMA journal_mode = WAL")
                connection.execute("PRAGMA wal_autocheckpoint = 0")
            connection.executescript(f"BEGIN; {sql}; COMMIT")
            _run(connection, legacy.statements[:half])
            if legacy.logged:
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            _run(connection, legacy.statements[half:])
            for name in (draft.name, f"{draft.name}-wal"):  # the connection is still open
                if draft.with_name(name).exists():
                    shutil.copyfile(draft.with_name(name), path.with_name(name))


def _run(connection: sqlite3.Connection, statements: Sequence[tuple[str, Sequence[Any]]]) -> None:
    connection.execute("BEGIN")
    for sql, values in statements:
        connection.execute(sql, values)
    connection.execute("COMMIT")


@dataclass
class _Draft:
    """What is given once in a file: numbers of messages, and times that rise."""

    random: Random
    numbers: Iterator[int] = field(default_factory=lambda: count(1))
    now_us: int = _BEGIN_US
    stray: list[str] = field(default_factory=list)

    def text(self) -> str:
        """A text that no other message has."""
        return f"#{next(self.numbers)} {self.random.choice(_TEXTS)}"

    def messages(self, schema: str) -> tuple[Message, ...]:
        """The messages of a session. The manager keeps the first one alone."""
        number = 1 if schema == "manager" else self.random.randint(1, 6)
        return tuple(self._message(at, schema) for at in range(number))

    def time_us(self) -> int:
        """A whole second, later than any before."""
        self.now_us += self.random.randint(1, 10_000) * 1_000_000
        return self.now_us

    def written(self, time_us: int | None) -> object:
        """The time in one of the forms that programs write."""
        if time_us is None:
            return None
        at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=time_us)
        there = at.astimezone(timezone(timedelta(hours=2)))
        return self.random.choice(
            (
                f"{at:%Y-%m-%d %H:%M:%S}",
                f"{at:%Y-%m-%d %H:%M:%S.%f}",
                f"{at:%Y-%m-%dT%H:%M:%SZ}",
                there.isoformat(),
                time_us // 1_000_000,
                time_us // 1_000,
                time_us,
            )
        )

    def _message(self, at: int, schema: str) -> Message:
        choice = self.random.choice
        timeless = schema != "portal" and self.random.random() < 0.1  # its column is NOT NULL
        message = Message(
            "assistant" if at % 2 else "user",
            self.text(),
            created_at_us=None if timeless else self.time_us(),
        )
        if schema == "manager":
            return message
        return replace(
            message,
            tokens=choice((None, 0, 7, 120)),
            duration_us=choice((None, 0, 1_500_000)) if schema == "enhanced" else None,
            metadata=choice((None, _METADATA)),
        )


_Rows = Iterator[tuple[str, Sequence[Any]]]
_Sessions = Mapping[str, tuple[Message, ...]]


def _enhanced(draft: _Draft, sessions: _Sessions, *, damaged: bool) -> _Rows:
    random = draft.random
    message = (
        "INSERT INTO messages (message_id, session_id, sequence_number, role, content, timestamp, "
        "tokens_used, duration_seconds, metadata) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
    )
    yield "INSERT INTO models (model_id, name) VALUES ('m-1', 'Model')", ()
    for name in sessions:
        yield "INSERT INTO sessions (session_id, model_id) VALUES (?, 'm-1')", (name,)
    rows: list[tuple[object, ...]] = []
    for name, messages in sessions.items():
        number = 0
        for one in messages:
            number += random.choice((1, 1, 1, 2))  # a message between them was deleted
            rows.append((f"m{len(rows)}", name, number, *_kept(draft, one, "duration_us")))
    random.shuffle(rows)  # the number says the order, not when a row was written
    for row in rows:
        yield message, row
    if damaged:
        if random.random() < 0.8:  # it hides orphans from NOT IN
            yield "INSERT INTO sessions (session_id, model_id) VALUES (NULL, 'm-1')", ()
        for at, one in enumerate(_strays(draft), 1):
            yield message, (f"s{at}", "gone", at, *_kept(draft, one, "duration_us"))
        yield (
            "UPDATE sessions SET message_count = message_count + 3, total_tokens = 510 "
            "WHERE session_id = ?",
            (random.choice([*sessions]),),
        )


def _plain(draft: _Draft, sessions: _Sessions, *, damaged: bool) -> _Rows:
    message = (
        "INSERT INTO messages (message_id, session_id, role, content, timestamp, tokens_used, "
        "metadata) VALUES (?, ?, ?, ?, ?, ?, ?)"
    )
    for name, messages in sessions.items():
        counted = len(messages) * (2 if damaged else 1)  # by hand, and by a trigger as well
        tokens = sum(one.tokens or 0 for one in messages) + (17 if damaged else 0)
        yield (
            "INSERT INTO sessions (session_id, message_count, total_tokens) VALUES (?, ?, ?)",
            (name, counted, tokens),
        )
    yield from _messages(message, draft, sessions, damaged=damaged)


def _portal(draft: _Draft, sessions: _Sessions, *, damaged: bool) -> _Rows:
    message = (
        "INSERT INTO messages (message_id, conversation_id, role, content, created_at, tokens, "
        "metadata) VALUES (?, ?, ?, ?, ?, ?, ?)"
    )
    yield "INSERT INTO users (email, created_at) VALUES ('a@b', '2026-01-01 00:00:00')", ()
    for name, messages in sessions.items():
        counted = 0 if damaged else len(messages)  # it never kept them
        yield (
            "INSERT INTO conversations (conversation_id, user_email, status, message_count, "
            "created_at, updated_at) VALUES (?, 'a@b', 'active', ?, '2026-01-01 00:00:00', "
            "'2026-01-01 00:00:00')",
            (name, counted),
        )
    yield from _messages(message, draft, sessions, damaged=damaged)


def _messages(statement: str, draft: _Draft, sessions: _Sessions, *, damaged: bool) -> _Rows:
    numbers = count(1)
    for name, messages in sessions.items():
        for one in messages:
            yield statement, (f"m{next(numbers)}", name, *_kept(draft, one))
    for one in _strays(draft) if damaged else ():
        yield statement, (f"m{next(numbers)}", "gone", *_kept(draft, one))


def _manager(draft: _Draft, sessions: _Sessions, *, damaged: bool) -> _Rows:
    session = (
        "INSERT INTO sessions (id, chat_id, first_user_message, created_at, expires_at) "
        "VALUES (?, ?, ?, ?, '2099-01-01 00:00:00')"
    )
    rows: list[tuple[str | None, Message]] = [(name, one[0]) for name, one in sessions.items()]
    rows += [(None, one) for one in _strays(draft)] if damaged else []
    for name, one in rows:
        yield session, (name, f"chat-{name}", one.content, draft.written(one.created_at_us))


_ROWS = {"enhanced": _enhanced, "plain": _plain, "portal": _portal, "manager": _manager}


def _strays(draft: _Draft) -> Iterator[Message]:
    """Messages whose session is gone."""
    for _ in range(draft.random.randint(1, 3)):
        message = Message("user", draft.text(), created_at_us=draft.time_us())
        draft.stray.append(str(message.content))
        yield message


def _kept(draft: _Draft, one: Message, *more: str) -> tuple[object, ...]:
    """Role, text, time, tokens, the duration in seconds where it is kept, and metadata."""
    seconds = [None if one.duration_us is None else one.duration_us / 1e6] if more else []
    metadata = None if one.metadata is None else json.dumps(one.metadata)
    time = draft.written(one.created_at_us)
    return (one.role, one.content, time, one.tokens, *seconds, metadata)
