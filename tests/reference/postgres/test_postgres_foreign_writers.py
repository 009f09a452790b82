"""What a stranger with another search path cannot do to the schema, and what its writes keep right.

Nothing of the package takes part in these writes: constraints and triggers hold by themselves.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from sessionproof import Message
from sessionproof.faults.servers.postgres import PrivateServer
from sessionproof.reference.postgres.store import PostgresStore

INSERT = "INSERT INTO {s}.messages (sid, seq, role, content, appended_at_us) VALUES "
SESSION = "INSERT INTO {s}.sessions (session_id, created_at_us, last_activity_us"

_MEANT = ("22", "23", "SP", "428C9")
"""Codes of values and constraints, the schema's own, and that of a row's number that is given."""

AUDIT = """
    SELECT 'orphan', m.id FROM {s}.messages AS m
    WHERE NOT EXISTS (SELECT FROM {s}.sessions AS s WHERE s.id = m.sid)
    UNION ALL
    SELECT 'orphan state', t.sid FROM {s}.state AS t
    WHERE NOT EXISTS (SELECT FROM {s}.sessions AS s WHERE s.id = t.sid)
    UNION ALL
    SELECT 'counter', s.id FROM {s}.sessions AS s
    WHERE concat_ws(' ', message_count, total_tokens, total_duration_us) <> (
        SELECT concat_ws(' ', count(*), coalesce(sum(tokens), 0), coalesce(sum(duration_us), 0))
        FROM {s}.messages AS m WHERE m.sid = s.id)
    UNION ALL
    SELECT 'number', s.id FROM {s}.sessions AS s
    WHERE next_seq <= (SELECT max(seq) FROM {s}.messages AS m WHERE m.sid = s.id)
"""


def fill(store: PostgresStore) -> PostgresStore:
    """Session a (row 1) with three messages, b (row 2) with one, c (row 3) archived; state in a."""
    store.append("a", [Message("user", text, tokens=10, id=f"id-{text}") for text in "xyz"])
    store.append("b", [Message("user", "w", tokens=1)])
    store.create("c")
    store.set_state("a", "k", 1)
    store.set_status("c", "archived")
    return store


@pytest.fixture
def filled(store: PostgresStore) -> PostgresStore:
    return fill(store)


@pytest.fixture(scope="module")
def unchanged(server: PrivateServer) -> Iterator[PostgresStore]:
    """One for all that is refused, as nothing of it may change anything."""
    with PostgresStore(url=server.url, schema="test_unchanged", preset="cli") as store:
        yield fill(store)


@pytest.fixture
def stranger(server: PrivateServer) -> Iterator[psycopg.Connection]:
    """A connection whose search path does not lead to the schema."""
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute("SET search_path = pg_catalog")
        yield connection


def asked(db: psycopg.Connection, sql: str, store: PostgresStore) -> list[Any]:
    found = db.execute(sql.format(s=store.schema).encode())
    return found.fetchall() if found.description else []


def audit(db: psycopg.Connection, store: PostgresStore) -> list[Any]:
    """Everything that must never be: orphans, wrong counters, numbers out of range."""
    return asked(db, AUDIT, store)


def contents(db: psycopg.Connection, store: PostgresStore) -> list[Any]:
    """Every row of the tables, as text."""
    tables = ("sessions", "messages", "state", "llm_models", "search_again")
    return [asked(db, f"SELECT t::text FROM {{s}}.{one} AS t ORDER BY 1", store) for one in tables]


REFUSED = {
    "orphan": INSERT + "(99, 1, 'user', 'x', 1)",
    "gap": INSERT + "(1, 5, 'user', 'x', 1)",
    "number again": INSERT + "(1, 3, 'user', 'x', 1)",
    "number below 1": INSERT + "(1, 0, 'user', 'x', 1)",
    "archived": INSERT + "(3, 1, 'user', 'x', 1)",
    "half a batch": INSERT + "(1, 4, 'user', 'x', 1), (1, 6, 'user', 'y', 1)",
    "over a number": INSERT + "(1, 3, 'user', 'x', 1) ON CONFLICT (sid, seq) DO UPDATE SET seq = 7",
    "id again": "INSERT INTO {s}.messages (sid, seq, message_id, appended_at_us) "
    "VALUES (1, 4, 'id-x', 1)",
    "row given": "INSERT INTO {s}.messages (id, sid, seq, appended_at_us) VALUES (90, 1, 4, 1)",
    "no number": "INSERT INTO {s}.messages (sid, appended_at_us) VALUES (1, 1)",
    "no time": "INSERT INTO {s}.messages (sid, seq) VALUES (1, 4)",
    "move": "UPDATE {s}.messages SET sid = 2 WHERE id = 1",
    "renumber": "UPDATE {s}.messages SET seq = 9 WHERE id = 1",
    "swap numbers": "UPDATE {s}.messages SET seq = 4 - seq WHERE sid = 1",
    "take an id": "UPDATE {s}.messages SET message_id = 'id-x' WHERE id = 2",
    "role": "UPDATE {s}.messages SET role = 'robot' WHERE id = 1",
    "no kind": "UPDATE {s}.messages SET kind = NULL WHERE id = 1",
    "negative tokens": "UPDATE {s}.messages SET tokens = -1 WHERE id = 1",
    "text tokens": "UPDATE {s}.messages SET tokens = 'many' WHERE id = 1",
    "tokens of no bound": "UPDATE {s}.messages SET tokens = 9223372036854775807",
    "bad metadata": "UPDATE {s}.messages SET metadata = '{{' WHERE id = 1",
    "bad arguments": "UPDATE {s}.messages SET arguments = '{{' WHERE id = 1",
    "two contents": "UPDATE {s}.messages SET content_json = '1' WHERE id = 1",
    "session again": SESSION + ") VALUES ('a', 1, 1)",
    "session without id": SESSION + ") VALUES (NULL, 1, 1)",
    "session that counts": SESSION + ", next_seq, message_count) VALUES ('new', 1, 1, 9, 3)",
    "rename": "UPDATE {s}.sessions SET session_id = 'z' WHERE id = 1",
    "new tag": "UPDATE {s}.sessions SET tag = 'z' WHERE id = 1",
    "new session row": "UPDATE {s}.sessions SET id = 50 WHERE id = 1",
    "numbers again": "UPDATE {s}.sessions SET next_seq = 2 WHERE id = 1",
    "status": "UPDATE {s}.sessions SET status = 'gone' WHERE id = 1",
    "no status": "UPDATE {s}.sessions SET status = NULL WHERE id = 1",
    "no count": "UPDATE {s}.sessions SET message_count = NULL WHERE id = 1",
    "counted twice": "UPDATE {s}.sessions SET message_count = message_count + 1 WHERE id = 1",
    "orphan state": "INSERT INTO {s}.state (sid, key, value) VALUES (99, 'k', '1')",
    "moved state": "UPDATE {s}.state SET sid = 2",
    "state again": "INSERT INTO {s}.state (sid, key, value) VALUES (1, 'k', '2')",
    "bad state": "UPDATE {s}.state SET value = '{{'",
    "truncate messages": "TRUNCATE {s}.messages",
    "truncate sessions": "TRUNCATE {s}.sessions",
    "truncate everything": "TRUNCATE {s}.sessions CASCADE",
}


@pytest.mark.parametrize("sql", REFUSED.values(), ids=REFUSED)
def test_refuses_damage(unchanged: PostgresStore, stranger: psycopg.Connection, sql: str) -> None:
    """SQL that would damage references, numbers or counters is refused and changes nothing."""
    before = contents(stranger, unchanged)
    with pytest.raises(psycopg.Error) as raised:
        asked(stranger, sql, unchanged)
    assert (raised.value.sqlstate or "").startswith((*_MEANT, "0A000"))
    assert contents(stranger, unchanged) == before
    assert audit(stranger, unchanged) == []


WRITES = {
    "append": INSERT + "(1, 4, 'user', 'x', 1)",
    "batch": "INSERT INTO {s}.messages (sid, seq, tokens, appended_at_us) "
    "VALUES (1, 4, 2, 1), (1, 5, NULL, 1)",
    "edit tokens": "UPDATE {s}.messages SET tokens = 510, duration_us = 3",
    "forget tokens": "UPDATE {s}.messages SET tokens = NULL",
    "delete a message": "DELETE FROM {s}.messages WHERE id = 2",
    "delete all messages": "DELETE FROM {s}.messages",
    "delete a session": "DELETE FROM {s}.sessions WHERE id = 1",
    "delete all sessions": "DELETE FROM {s}.sessions",
    "skip numbers": "UPDATE {s}.sessions SET next_seq = 100 WHERE id = 1",
}


@pytest.mark.parametrize("sql", WRITES.values(), ids=WRITES)
def test_stays_right_under_foreign_writes(
    filled: PostgresStore, stranger: psycopg.Connection, sql: str
) -> None:
    """Counters, numbers and references are right after what a stranger may write."""
    asked(stranger, sql, filled)
    assert audit(stranger, filled) == []
    for name in filled.list():
        assert filled.count(name) == len(filled.read(name))
    filled.append("a", [Message("user", "after")])
    assert audit(stranger, filled) == []
    assert filled.verify().problems == ()


def test_a_copy_in_bulk_is_counted(filled: PostgresStore, stranger: psycopg.Connection) -> None:
    """COPY, which tools for loading use, fires the triggers as any insert."""
    statement = f"COPY {filled.schema}.messages (sid, seq, tokens, appended_at_us) FROM STDIN"
    with stranger.cursor() as cursor, cursor.copy(statement.encode()) as copy:
        for seq in range(2, 30):
            copy.write_row((2, seq, 5, 1))
    info = filled.get("b")
    assert info is not None
    assert (info.message_count, info.total_tokens) == (29, 1 + 28 * 5)
    assert audit(stranger, filled) == []


def test_a_stranger_beside_the_store_loses_nothing(
    filled: PostgresStore, stranger: psycopg.Connection
) -> None:
    """Who reads the next number and is overtaken is refused; neither message is lost."""
    (number,) = asked(stranger, "SELECT next_seq FROM {s}.sessions WHERE id = 1", filled)[0]
    filled.append("a", [Message("user", "overtook")])
    with pytest.raises(psycopg.Error) as raised:
        asked(stranger, f"{INSERT}(1, {number}, 'user', 'late', 1)", filled)
    assert raised.value.sqlstate in ("23505", "SP001")
    assert [message.content for message in filled.read("a")][-1] == "overtook"
    assert audit(stranger, filled) == []
