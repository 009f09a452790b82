"""What a store on PostgreSQL says of itself: content while all is well, and telling otherwise."""

import re

import psycopg
import pytest

from sessionproof.contract.clock import VirtualClock
from sessionproof.contract.errors import Refused
from sessionproof.contract.message import Message
from sessionproof.faults.servers.postgres import PrivateServer
from sessionproof.reference.postgres import health
from sessionproof.reference.postgres.place import Place
from sessionproof.reference.postgres.store import PostgresStore
from sessionproof.reference.postgres.vitals.server import commit_setting
from sessionproof.reference.vitals.thresholds import Limit, ServerLimits, Thresholds

POWER = ("setting fsync", "setting full_page_writes")
"""Off on the server of these tests, which need no power loss."""


def bad(found):
    """Checks that warn, but for those."""
    warned = [one.name for one in found.values() if one.severity in ("warning", "critical")]
    return sorted({*warned} - {*POWER})


def seen(store, **options):
    """The severity and the sentence of each check, by its name."""
    return {one.name: one for one in health.report(store, **options).vitals}


@pytest.fixture
def chats(store):
    store.append("a", [Message("user", "x", tokens=3)] * 3)
    store.append("b", [Message("user", "y")])
    return store


def test_a_store_that_is_well(chats):
    """No check warns; what the server keeps for itself is unknown."""
    found = seen(chats)
    assert bad(found) == []
    assert found["disk"].severity == "unknown"
    assert found["setting synchronous_commit"].text == "off, as durability says"
    assert re.fullmatch(r"[\d.]+ (MB|kB) with 2 sessions and 4 messages", found["schema size"].text)


def test_from_outside(chats, server):
    """Another process sees the same, but for what is of the store's process alone."""
    found = {one.name: one for one in health.report_of(Place(server.url, chats.schema)).vitals}
    assert bad(found) == []
    for name in ("pool use", "average time", "setting synchronous_commit"):
        assert found[name].severity == "unknown"
        assert "call health() there" in found[name].text


def test_rows_that_contradict_each_other(chats, foreign):
    """Counters that are wrong, and rows whose session is gone, are told with their number."""
    foreign.execute("UPDATE sessions SET total_tokens = 1 WHERE session_id = 'a'")
    found = seen(chats, thresholds=Thresholds(mismatches=Limit(1, 1)))
    assert found["counters"].severity == "critical"
    assert found["counters"].text.startswith("1 session does not count")
    foreign.execute("ALTER TABLE messages DROP CONSTRAINT messages_sid_fkey")
    foreign.execute("ALTER TABLE messages DISABLE TRIGGER USER")
    foreign.execute("DELETE FROM sessions WHERE session_id = 'a'")
    found = seen(chats)
    assert found["orphans"].severity == "warning"
    assert "3 of messages" in found["orphans"].text
    assert found["triggers"].severity == "critical"
    assert "of messages" in found["triggers"].text


def test_an_index_that_is_no_good(chats, foreign):
    """An index that the server does not use is critical: what it guarded is no longer."""
    foreign.execute(
        "UPDATE pg_index SET indisvalid = false "
        "WHERE indexrelid = 'sessions_by_session_id'::regclass"
    )
    found = seen(chats)
    assert found["indexes"].severity == "critical"
    assert found["indexes"].text == "sessions_by_session_id: rebuild it with REINDEX"


def test_transactions_and_locks_that_last(chats, server):
    """One that does nothing for longer than it may is told, and who waits for its locks."""
    at_once = ServerLimits(idle_transaction_s=Limit(0, 1_000))
    with psycopg.connect(server.url) as idle:
        idle.execute(f"LOCK TABLE {chats.schema}.llm_models")
        found = seen(chats, limits=at_once)
        assert found["transactions"].severity == "warning"
        assert "the longest that does nothing" in found["transactions"].text
        assert found["lock waits"].text == "nobody waits for a lock"


def test_connections_of_a_server_that_is_full(chats):
    """Judged as a part of what the server takes, whoever uses them."""
    found = seen(chats, limits=ServerLimits(connections=Limit(0.0, 1.0)))
    assert found["connections"].severity == "warning"
    assert re.fullmatch(r"\d+ of \d+ are used", found["connections"].text)


def test_a_role_that_may_see_little(chats, server):
    """What a role may not see is unknown; nothing is raised, and what it sees is told."""
    schema = chats.schema
    with psycopg.connect(server.url, autocommit=True) as db, psycopg.connect(server.url):
        db.execute("DROP ROLE IF EXISTS reader")
        db.execute("CREATE ROLE reader LOGIN")
        db.execute(f"GRANT USAGE ON SCHEMA {schema} TO reader")
        db.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO reader")
        db.execute(f"REVOKE SELECT ON {schema}.state FROM reader")
        url = server.url.replace("user=sessionproof", "user=reader")
        try:
            found = {one.name: one for one in health.report_of(Place(url, schema)).vitals}
        finally:
            db.execute("DROP OWNED BY reader")
            db.execute("DROP ROLE reader")
    assert found["transactions"].severity == "unknown"
    assert "pg_read_all_stats" in found["transactions"].text
    assert found["orphans"].severity == "unknown"
    assert found["orphans"].text.startswith("this role may not see it")
    assert found["counters"].severity == "ok"
    assert bad(found) == []


def test_settings_that_the_promises_need():
    """A connection that commits otherwise than durability says is critical."""
    assert commit_setting("on", synchronous=True).severity == "ok"
    assert commit_setting("remote_apply", synchronous=True).severity == "ok"
    assert commit_setting("off", synchronous=True).severity == "critical"
    assert commit_setting("on", synchronous=False).severity == "critical"


def test_growth_since_yesterday(chats, clock, foreign):
    """Upkeep writes sizes down; a day later the growth is told."""
    assert seen(chats)["growth"].severity == "unknown"
    foreign.execute("INSERT INTO health_sizes VALUES (%s, 0, 0, 0)", (clock.now_us(),))
    clock.move(2 * 86_400_000_000)
    assert "MB a day over 2 days" in seen(chats)["growth"].text


def test_a_schema_that_is_gone_or_newer(chats, foreign):
    """A schema that was dropped is critical, and so is one that a newer release has upgraded."""
    foreign.execute(f"COMMENT ON SCHEMA {chats.schema} IS 'sessionproof step 999'")
    assert "a newer release has upgraded it" in seen(chats)["schema"].text
    foreign.execute(f"DROP SCHEMA {chats.schema} CASCADE")
    found = seen(chats)
    assert found["schema"].severity == "critical"
    assert found["counters"].severity == "unknown"


def test_a_server_that_is_gone():
    """It is answered, as critical; only a closed handle is refused."""
    with PrivateServer.start(settings={"fsync": "off"}) as server:
        store = PostgresStore(url=server.url, schema="s", preset="cli", clock=VirtualClock())
        assert seen(store)["setting fsync"].severity == "critical"
        assert seen(store)["setting full_page_writes"].severity == "ok"
        with PostgresStore(url=server.url, schema="s", durability="process") as fast:
            assert seen(fast)["setting fsync"].severity == "warning"
        server.kill()
        found = store.health()
        assert found.severity == "critical"
        assert found.checks[0].name == "server"
        assert "it does not answer" in found.checks[0].text
        store.close()
    with pytest.raises(Refused):
        store.health()
