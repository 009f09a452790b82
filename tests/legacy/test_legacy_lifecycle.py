"""The legacy schemas have the defects that docs/errata.md lists: timeouts, snapshots, search."""

import json
import sqlite3
from contextlib import closing

import pytest

from fixtures.legacy import database, schema

LONG_AGO = "'2000-01-01 00:00:00'"


@pytest.fixture
def enhanced():
    """The enhanced schema with a session of long ago and its message; foreign keys on."""
    with closing(database("enhanced")) as connection:
        connection.executescript(
            "INSERT INTO models (model_id, name) VALUES ('m', 'm');"
            "INSERT INTO sessions (session_id, model_id) VALUES ('s', 'm');"
            "INSERT INTO messages (message_id, session_id, sequence_number, role, content) "
            "VALUES ('1', 's', 1, 'user', 'secret');"
            f"UPDATE sessions SET last_activity = {LONG_AGO}, created_at = {LONG_AGO};"
            "PRAGMA foreign_keys = ON"
        )
        yield connection


def one(connection, query):
    """The only value of the only row."""
    ((value,),) = connection.execute(query).fetchall()
    return value


def test_33_without_a_row_a_session_never_times_out(enhanced):
    """Nothing inserts the row that the view asks for."""
    assert one(enhanced, "SELECT COUNT(*) FROM session_timeouts") == 0
    assert one(enhanced, "SELECT timeout_status FROM sessions_needing_timeout") == "ok"


def test_33_a_null_limit_never_times_out(enhanced):
    """Idle since 2000, and ok."""
    enhanced.execute(
        "INSERT INTO session_timeouts (session_id, idle_timeout_seconds, last_activity) "
        f"VALUES ('s', NULL, {LONG_AGO})"
    )
    assert one(enhanced, "SELECT timeout_status FROM sessions_needing_timeout") == "ok"


def test_34_the_hard_limit_never_fires(enhanced):
    """expires_at is not computed from it."""
    enhanced.execute(
        "INSERT INTO session_timeouts (session_id, hard_timeout_seconds) VALUES ('s', 1)"
    )
    assert one(enhanced, "SELECT expires_at FROM session_timeouts") is None
    assert one(enhanced, "SELECT timeout_status FROM sessions_needing_timeout") == "ok"


def test_35_two_copies_go_apart(enhanced):
    """A change of the limit in one table does not reach the other."""
    enhanced.execute("INSERT INTO session_timeouts (session_id) VALUES ('s')")
    enhanced.execute("UPDATE sessions SET idle_timeout = 60")
    assert one(enhanced, "SELECT idle_timeout_seconds FROM session_timeouts") == 3600
    enhanced.execute(f"UPDATE session_timeouts SET last_activity = {LONG_AGO}")
    enhanced.execute("DELETE FROM messages")
    assert one(
        enhanced,
        "SELECT s.last_activity > t.last_activity FROM sessions AS s JOIN session_timeouts AS t "
        "USING (session_id)",
    )


def test_36_healthy_sessions_are_listed_as_needing_timeout(enhanced):
    """The view leaves nobody out."""
    enhanced.execute("INSERT INTO session_timeouts (session_id) VALUES ('s')")
    assert one(enhanced, "SELECT COUNT(*) FROM sessions_needing_timeout") == 1


@pytest.mark.parametrize("status", ["archived", "expired", "paused"])
def test_37_ended_sessions_take_messages(enhanced, status):
    """No trigger looks at the status."""
    enhanced.execute(f"UPDATE sessions SET status = '{status}'")
    enhanced.execute(
        "INSERT INTO messages (message_id, session_id, sequence_number, role, content) "
        "VALUES ('2', 's', 2, 'user', 'x')"
    )
    assert one(enhanced, "SELECT message_count FROM sessions") == 2


def test_38_paused_sessions_are_in_no_listing(enhanced):
    """Neither view shows them."""
    enhanced.execute("UPDATE sessions SET status = 'paused'")
    for view in ("active_sessions", "sessions_needing_timeout"):
        assert one(enhanced, f"SELECT COUNT(*) FROM {view}") == 0


def test_40_the_cleanup_scans(enhanced):
    """The manager's table has no index on its expiry."""
    with closing(database("manager")) as manager:
        plan = manager.execute(
            "EXPLAIN QUERY PLAN DELETE FROM sessions WHERE expires_at < '2026'"
        ).fetchall()
    assert [row[3] for row in plan] == ["SCAN sessions"]


def test_41_the_portal_keeps_expiry_twice():
    """A session of 2000 may say that it is not expired."""
    with closing(database("portal")) as portal:
        portal.execute(
            "INSERT INTO user_sessions (session_id, user_email, token, created_at, expires_at, "
            f"is_expired) VALUES ('s', 'a@b', 't', {LONG_AGO}, {LONG_AGO}, 0)"
        )
        # Not '2020' alone: compared with a DATETIME it is a number, and less than every text.
        past = "expires_at < '2020-01-01'"
        query = f"SELECT COUNT(*) FROM user_sessions WHERE {past} AND NOT is_expired"
        assert one(portal, query) == 1


def test_43_the_snapshot_holds_no_message(enhanced):
    """Five fields of the session are all that an archive keeps."""
    enhanced.execute("UPDATE sessions SET status = 'archived'")
    kept = json.loads(one(enhanced, "SELECT snapshot_data FROM session_snapshots"))
    assert len(kept) == 5
    assert "secret" not in json.dumps(kept)


def test_44_the_last_snapshot_dies_with_its_session(enhanced):
    """It is written before the deletion, and cascades with it."""
    enhanced.execute("DELETE FROM sessions")
    assert one(enhanced, "SELECT COUNT(*) FROM session_snapshots") == 0
    assert one(enhanced, "SELECT seq FROM sqlite_sequence WHERE name = 'session_snapshots'") == 1


def test_50_initialising_twice_fails(enhanced):
    """Tables and indexes may exist, views may not."""
    with pytest.raises(sqlite3.OperationalError, match="view session_statistics already exists"):
        enhanced.executescript(schema("enhanced"))


def test_50_migrating_a_plain_database_stops_half_way():
    """It fails at the first index on a new column, with the new tables made and no trigger."""
    with closing(database("plain")) as connection:
        with pytest.raises(sqlite3.OperationalError, match="model_id"):
            connection.executescript(schema("enhanced"))
        names = "SELECT COUNT(*) FROM sqlite_schema WHERE type = '{}' AND name LIKE '{}'"
        assert one(connection, names.format("table", "session_timeouts")) == 1
        assert one(connection, names.format("trigger", "%")) == 0


def test_55_the_search_table_is_never_filled(enhanced):
    """No trigger writes to it."""
    assert one(enhanced, "SELECT COUNT(*) FROM messages_fts") == 0


def test_55_what_is_filled_outlives_the_session(enhanced):
    """A virtual table has no foreign keys."""
    enhanced.execute(
        "INSERT INTO messages_fts SELECT message_id, session_id, content FROM messages"
    )
    enhanced.execute("DELETE FROM sessions")
    found = one(enhanced, "SELECT content FROM messages_fts WHERE messages_fts MATCH 'secret'")
    assert found == "secret"


@pytest.mark.parametrize("column", ["chat_id", "first_user_message"])
def test_58_a_session_needs_what_comes_later(column):
    """The manager's documented calls set these fields after the session is made, or never."""
    values = {"id": "1", "chat_id": "c", "first_user_message": "hi", "expires_at": "2030"}
    del values[column]
    insert = f"INSERT INTO sessions ({', '.join(values)}) VALUES (?, ?, ?)"
    with (
        closing(database("manager")) as manager,
        pytest.raises(sqlite3.IntegrityError, match=column),
    ):
        manager.execute(insert, [*values.values()])
