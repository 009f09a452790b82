"""The steps of the schema: applied once, in order, by one of all that open it, or refused."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from sessionproof import Message, Refused
from sessionproof.faults.servers.postgres import PrivateServer
from sessionproof.reference.postgres import steps
from sessionproof.reference.postgres.pool import Connection, connect
from sessionproof.reference.postgres.store import PostgresStore
from sessionproof.reference.steps import Step

SHIPPED = steps.shipped()


@pytest.fixture
def schema(server: PrivateServer) -> Iterator[str]:
    """The name of a schema that is not there yet."""
    name = f"test_{secrets.token_hex(6)}"
    yield name
    with psycopg.connect(server.url, autocommit=True) as db:
        db.execute(f"DROP SCHEMA IF EXISTS {name} CASCADE")


@pytest.fixture
def db(server: PrivateServer, schema: str) -> Iterator[Connection]:
    with connect(server.url, schema, synchronous=False) as connection:
        yield connection


def shape(db: Connection, schema: str) -> list[tuple]:
    """Columns, constraints, indexes and triggers of a schema, in words."""
    return db.execute(
        """
        SELECT table_name || '.' || column_name || ' ' || coalesce(domain_name, data_type)
            || ' ' || is_nullable || coalesce(column_default, '')
        FROM information_schema.columns WHERE table_schema = %(schema)s
        UNION ALL SELECT conname || pg_get_constraintdef(oid) FROM pg_constraint
            WHERE connamespace = %(schema)s::regnamespace
        UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = %(schema)s
        UNION ALL SELECT pg_get_triggerdef(t.oid) FROM pg_trigger AS t
            JOIN pg_class AS c ON c.oid = t.tgrelid
            WHERE c.relnamespace = %(schema)s::regnamespace AND NOT tgisinternal
        UNION ALL SELECT prosrc FROM pg_proc WHERE pronamespace = %(schema)s::regnamespace
        ORDER BY 1
        """,
        {"schema": schema},
    ).fetchall()


def test_steps_are_numbered_without_a_gap() -> None:
    """The files of the package are 0001, 0002 and so on, none of them empty."""
    assert [step.number for step in SHIPPED] == list(range(1, len(SHIPPED) + 1))
    assert all(step.sql.strip() for step in SHIPPED)


@pytest.mark.parametrize("earlier", range(len(SHIPPED)))
def test_a_schema_of_each_earlier_release_is_upgraded(
    db: Connection, server: PrivateServer, schema: str, earlier: int
) -> None:
    """Its messages are kept, and it is as one that was made anew."""
    db.execute(f"CREATE SCHEMA {schema}")
    steps.prepare(db, schema, SHIPPED[:earlier])
    if earlier:
        db.execute(
            "INSERT INTO sessions (session_id, created_at_us, last_activity_us) VALUES ('a', 1, 1)"
        )
        db.execute(
            "INSERT INTO messages (sid, seq, role, content, appended_at_us) "
            "VALUES (1, 1, 'user', 'kept', 1)"
        )
    with PostgresStore(url=server.url, schema=schema, preset="cli") as store:
        assert [one.content for one in store.read("a")] == ["kept"][: min(earlier, 1)]
        store.append("a", [Message("user", "new")])
        assert store.verify().problems == ()
    assert steps.version_of(db, schema) == len(SHIPPED)
    upgraded = shape(db, schema)
    db.execute(f"DROP SCHEMA {schema} CASCADE")
    steps.prepare(db, schema, SHIPPED)
    assert shape(db, schema) == upgraded


def test_a_newer_schema_is_refused(server: PrivateServer, schema: str, db: Connection) -> None:
    """One line names the schema, both numbers and the remedy, and nothing is changed."""
    newer = (*SHIPPED, Step(len(SHIPPED) + 1, "newer", "CREATE TABLE newer (id bigint)"))
    steps.prepare(db, schema, newer)
    before = shape(db, schema)
    with pytest.raises(Refused) as raised:
        PostgresStore(url=server.url, schema=schema)
    text = str(raised.value)
    assert "\n" not in text
    assert schema in text
    assert f"{len(newer)} steps, this release knows {len(SHIPPED)}: use a newer one" in text
    assert shape(db, schema) == before


@pytest.mark.parametrize("comment", [None, "tables of a shop"], ids=["no comment", "a comment"])
def test_a_schema_of_something_else_is_refused(
    server: PrivateServer, schema: str, db: Connection, comment: str | None
) -> None:
    """Tables that are not the store's are neither used nor touched."""
    db.execute(f"CREATE SCHEMA {schema}; CREATE TABLE {schema}.orders (id bigint)")
    if comment is not None:
        db.execute(f"COMMENT ON SCHEMA {schema} IS '{comment}'")
    before = shape(db, schema)
    with pytest.raises(Refused, match="holds tables of something else: name another one"):
        PostgresStore(url=server.url, schema=schema)
    assert shape(db, schema) == before


@pytest.mark.parametrize("mark", ["", "one", "-1", "0", "5 and more"])
def test_a_number_of_steps_that_is_none_is_refused(
    server: PrivateServer, schema: str, db: Connection, mark: str
) -> None:
    """A comment that somebody has changed is one line, and no traceback."""
    steps.prepare(db, schema, SHIPPED)
    db.execute(f"COMMENT ON SCHEMA {schema} IS '{steps.MARK}{mark}'")
    with pytest.raises(Refused, match=r"the comment of the schema .* was changed"):
        PostgresStore(url=server.url, schema=schema)


def test_an_empty_schema_that_is_there_is_taken(
    server: PrivateServer, schema: str, db: Connection
) -> None:
    """An operator may make the schema, and give the store no right to make others."""
    db.execute(f"CREATE SCHEMA {schema}; COMMENT ON SCHEMA {schema} IS 'for the chats'")
    with PostgresStore(url=server.url, schema=schema, preset="cli") as store:
        store.append("a", [Message("user", "x")])
    assert steps.version_of(db, schema) == len(SHIPPED)


def test_a_step_that_fails_leaves_nothing(schema: str, db: Connection) -> None:
    """Steps are one transaction: the version and the tables are those of before."""
    steps.prepare(db, schema, SHIPPED[:1])
    before = shape(db, schema)
    bad = Step(3, "bad", "CREATE TABLE half (id bigint); SELECT 1 / 0")
    with pytest.raises(psycopg.errors.DivisionByZero):
        steps.prepare(db, schema, (*SHIPPED[:2], bad))
    assert steps.version_of(db, schema) == 1
    assert shape(db, schema) == before


@pytest.mark.parametrize("earlier", [0, 1], ids=["new", "earlier"])
def test_several_that_open_at_once_apply_each_step_once(
    server: PrivateServer, schema: str, db: Connection, earlier: int
) -> None:
    """Whoever comes second finds the work done; all of them can append."""
    if earlier:
        steps.prepare(db, schema, SHIPPED[:earlier])

    def use(number: int) -> None:
        with PostgresStore(url=server.url, schema=schema, preset="cli") as store:
            store.append("a", [Message("user", f"{number}")])

    with ThreadPoolExecutor(6) as threads:
        list(threads.map(use, range(6)))
    assert steps.version_of(db, schema) == len(SHIPPED)
    with PostgresStore(url=server.url, schema=schema, preset="cli") as store:
        assert sorted(one.content for one in store.read("a")) == [str(n) for n in range(6)]
