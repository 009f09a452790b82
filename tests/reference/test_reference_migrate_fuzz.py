"""Old files with anything in any column: nothing is lost, and what comes of them is in order."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing, suppress
from pathlib import Path

import pytest

from fixtures.legacy import database
from sessionproof.contract.seed import generator
from sessionproof.reference import ReferenceStore
from sessionproof.reference.migrate import migrate
from sessionproof.reference.rollback import rollback
from sessionproof.reference.verify import verify_file

SESSIONS = {"plain": "sessions", "enhanced": "sessions", "portal": "conversations"}
KEYS = ("session_id", "conversation_id")
VALUES = (
    None, 0, 1, -1, 2, 3, 1.5, 2.5e300, float("inf"), 1e17, 2**62, 2**63 - 1, -(2**63), "", "x",
    "user", "assistant", "User ", "robot", "active", "ACTIVE", "deleted", "{}", '{"a": 1}', "[1]",
    '{"a": "\\ud800"}', "null", "NaN", '{"a": NaN}', "{bad", "[" * 3000, "2026-01-01",
    "2026-01-01 00:00:00", "0001-01-01 00:00:00+14:00", "9999-12-31 23:59:59", 1767225600,
    1767225600_000, b"\xff\x00", b"abc", "\0nul", "日本", "a", "b",
)  # fmt: skip


def write(path: Path, schema: str, number: int) -> dict[str, int]:
    """A file with drawn rows, half of its tables without rules; how many rows they have."""
    random = generator(number, schema)
    with closing(database(schema, path=path)) as old:
        for kind in ("trigger", "view"):
            sql = "SELECT name FROM sqlite_schema WHERE type = ?"
            for (name,) in old.execute(sql, (kind,)).fetchall():
                old.execute(f'DROP {kind} "{name}"')
        tables = (SESSIONS[schema], "messages")
        for table in tables:
            columns = [row[1] for row in old.execute(f"PRAGMA table_info({table})")]
            if random.random() < 0.5:  # as a table is that was made anew by hand
                old.execute(f"DROP TABLE {table}")
                old.execute(f"CREATE TABLE {table} ({', '.join(columns)})")
            for _ in range(random.randint(1, 12)):
                row = [
                    random.choice("abc")
                    if name in KEYS and random.random() < 0.7
                    else random.choice(VALUES)
                    for name in columns
                ]
                with suppress(sqlite3.IntegrityError):
                    old.execute(f"INSERT INTO {table} VALUES ({', '.join('?' * len(row))})", row)
        return {name: old.execute(f"SELECT COUNT(*) FROM {name}").fetchone()[0] for name in tables}


@pytest.mark.parametrize("schema", SESSIONS)
@pytest.mark.parametrize("number", range(6))
def test_every_row_is_taken_over_or_put_aside(schema, number, tmp_path):
    """Rows in are messages and sessions, or lines aside; the new store verifies clean."""
    file, place = tmp_path / "old.db", tmp_path / "chats"
    place.mkdir()
    rows = write(file, schema, number)
    before = file.read_bytes()
    would = migrate(file, place, dry_run=True)
    answer = migrate(file, place)
    assert would == answer
    kept = place / "migrated" / "aside.jsonl"
    lines = map(json.loads, kept.read_text("ascii").splitlines() if kept.exists() else ())
    aside = [line["table"] for line in lines if not line["taken_over"]]
    assert answer.set_aside == len(aside)
    assert answer.messages + aside.count("messages") == rows["messages"]
    assert answer.sessions + aside.count(SESSIONS[schema]) == rows[SESSIONS[schema]]
    assert verify_file(place).ok
    with ReferenceStore(place, durability="process") as store:
        assert sum(len(store.read(name)) for name in store.list()) == answer.messages
    rollback(place)
    assert file.read_bytes() == before
