"""The legacy schemas have the defects that docs/errata.md lists: counters, keys, connections."""

import re
import sqlite3
from contextlib import closing

import pytest

from fixtures.legacy import database, trigger

SESSION = "INSERT INTO sessions (session_id, model_id) VALUES ('s', 'm')"
MESSAGE = (
    "INSERT INTO messages (message_id, session_id, sequence_number, role, content, tokens_used, "
    "duration_seconds) VALUES (?, 's', ?, 'user', 'x', ?, ?)"
)


@pytest.fixture
def enhanced():
    with closing(database("enhanced")) as connection:
        yield connection


@pytest.fixture
def session(enhanced):
    """The enhanced schema with one model and one session, and foreign keys on."""
    enhanced.execute("INSERT INTO models (model_id, name) VALUES ('m', 'm')")
    enhanced.execute(SESSION)
    enhanced.execute("PRAGMA foreign_keys = ON")
    return enhanced


@pytest.fixture
def portal():
    with closing(database("portal")) as connection:
        connection.executescript(
            "INSERT INTO users (email, created_at) VALUES ('a@b', 't');"
            "INSERT INTO conversations (conversation_id, user_email, created_at, updated_at) "
            "VALUES ('c', 'a@b', 't', 't');"
            "INSERT INTO messages VALUES ('1', 'c', 'user', 'x', 7, 't', NULL)"
        )
        yield connection


def one(connection, query, *values):
    """The only value of the only row."""
    ((value,),) = connection.execute(query, values).fetchall()
    return value


def append(connection, number, tokens=None, duration=None):
    connection.execute(MESSAGE, (f"m{number}", number, tokens, duration))


@pytest.mark.parametrize("name", ["plain", "enhanced", "manager", "portal"])
def test_loads_and_is_sound(name):
    """Each schema loads as it is, and the empty database passes SQLite's own checks."""
    with closing(database(name)) as connection:
        assert one(connection, "PRAGMA integrity_check") == "ok"
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        assert one(connection, "SELECT COUNT(*) FROM sqlite_schema WHERE name LIKE '%session%'")


def test_01_a_model_in_use_can_never_be_deleted(session):
    """SET NULL meets NOT NULL."""
    with pytest.raises(sqlite3.IntegrityError, match="NOT NULL"):
        session.execute("DELETE FROM models")


def test_02_no_session_on_a_clean_database(enhanced):
    """With foreign keys on, the first session refers to a model that nothing inserts."""
    enhanced.execute("PRAGMA foreign_keys = ON")
    with pytest.raises(sqlite3.IntegrityError, match="FOREIGN KEY"):
        enhanced.execute(SESSION)


@pytest.mark.parametrize("name", ["plain", "enhanced"])
def test_03_one_null_key_hides_every_orphan(name):
    """NOT IN over a list with NULL is never true; NOT EXISTS sees the orphan."""
    with closing(database(name)) as connection:
        number = "" if name == "plain" else ", sequence_number"
        connection.execute(
            f"INSERT INTO messages (message_id, session_id, role, content{number}) "
            f"VALUES ('1', 'gone', 'user', 'x'{number and ', 1'})"
        )
        not_in = (
            "SELECT COUNT(*) FROM messages "
            "WHERE session_id NOT IN (SELECT session_id FROM sessions)"
        )
        assert one(connection, not_in) == 1
        model = "model" if name == "plain" else "model_id"
        connection.execute(f"INSERT INTO sessions (session_id, {model}) VALUES (NULL, 'm')")
        assert one(connection, not_in) == 0
        exists = "SELECT 1 FROM sessions AS s WHERE s.session_id = m.session_id"
        query = f"SELECT COUNT(*) FROM messages AS m WHERE NOT EXISTS ({exists})"
        assert one(connection, query) == 1


def test_04_null_counters_escape_checks_and_comparisons(session):
    """NULL passes the CHECK, is unequal to nothing, and stays NULL when tokens are added."""
    session.execute("UPDATE sessions SET message_count = NULL, total_tokens = NULL, status = NULL")
    mismatch = "SELECT COUNT(*) FROM sessions WHERE message_count != 7 OR total_tokens != 7"
    assert one(session, mismatch) == 0
    append(session, 1, tokens=5)
    assert one(session, "SELECT total_tokens FROM sessions") is None


@pytest.mark.parametrize("role", ["tool", "developer"])
def test_05_roles_of_today_are_refused(session, role):
    """The list of roles knows three."""
    with pytest.raises(sqlite3.IntegrityError, match="CHECK"):
        session.execute(f"INSERT INTO messages VALUES ('1', 's', 1, '{role}', 'x', 0, 0, 0, NULL)")


def test_05_tool_calls_without_text_are_refused(session):
    """Content is NOT NULL."""
    with pytest.raises(sqlite3.IntegrityError, match="NOT NULL"):
        session.execute("INSERT INTO messages VALUES ('1', 's', 1, 'user', NULL, 0, 0, 0, NULL)")


def test_06_times_have_whole_seconds(session):
    """A time that the schema gives has no fraction."""
    append(session, 1)
    seconds = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"
    assert re.fullmatch(seconds, one(session, "SELECT timestamp FROM messages"))
    assert re.fullmatch(seconds, one(session, "SELECT updated_at FROM sessions"))


def test_07_numbers_and_texts_mix_in_a_time(session):
    """Every number sorts before every text, whatever time it means."""
    for number, time in enumerate(["2001-01-01 00:00:00", "1767225600", "2002-01-01"], start=1):
        append(session, number)
        session.execute("UPDATE messages SET timestamp = ? WHERE message_id = ?",
                        (time, f"m{number}"))  # fmt: skip
    query = "SELECT typeof(timestamp), message_id FROM messages ORDER BY timestamp"
    assert session.execute(query).fetchall() == [("integer", "m2"), ("text", "m1"), ("text", "m3")]


def test_08_an_explicit_time_is_overwritten(session):
    """A restore cannot keep updated_at."""
    session.execute("UPDATE sessions SET updated_at = '2001-01-01 00:00:00'")
    assert one(session, "SELECT updated_at FROM sessions") > "2020"


def test_08_recursive_triggers_fail_every_write(session):
    """The trigger fires itself until SQLite ends it."""
    session.execute("PRAGMA recursive_triggers = ON")
    with pytest.raises(sqlite3.OperationalError, match="too many levels"):
        session.execute("UPDATE sessions SET title = 'x'")


def test_09_an_append_costs_what_is_there(session):
    """The trigger counts all rows: twenty times the messages, many times the instructions."""
    counted = [0]

    def count():
        counted[0] += 1
        return 0

    costs = []
    for size in (100, 2_000):
        for number in range(one(session, "SELECT COUNT(*) FROM messages"), size):
            append(session, number)
        counted[0] = 0
        session.set_progress_handler(count, 1)
        append(session, size)
        session.set_progress_handler(None, 0)
        costs.append(counted[0])
    assert costs[1] > 5 * costs[0]


def test_10_edits_and_moves_leave_the_totals(session):
    """There is no trigger on UPDATE."""
    append(session, 1, tokens=10)
    append(session, 2, tokens=10)
    session.execute("UPDATE messages SET tokens_used = 500 WHERE message_id = 'm1'")
    assert one(session, "SELECT total_tokens FROM sessions") == 20
    session.execute("INSERT INTO sessions (session_id, model_id) VALUES ('t', 'm')")
    session.execute("UPDATE messages SET session_id = 't' WHERE message_id = 'm1'")
    counts = session.execute("SELECT session_id, message_count FROM sessions ORDER BY 1").fetchall()
    assert counts == [("s", 2), ("t", 0)]


def test_11_an_emptied_session_has_a_duration(session):
    """Sums of fractions do not go back to 0."""
    for number, duration in enumerate([0.1, 0.2, 0.3]):
        append(session, number, duration=duration)
    for number in range(3):
        session.execute("DELETE FROM messages WHERE message_id = ?", (f"m{number}",))
    assert one(session, "SELECT message_count FROM sessions") == 0
    assert 0 < one(session, "SELECT total_duration FROM sessions") < 1e-12


def test_12_deleting_a_message_is_activity(session):
    """An idle session seems to be in use when somebody tidies up."""
    append(session, 1)
    session.execute("UPDATE sessions SET last_activity = '2001-01-01 00:00:00'")
    session.execute("DELETE FROM messages")
    assert one(session, "SELECT last_activity FROM sessions") > "2020"


def test_13_counting_by_hand_beside_the_trigger_counts_twice(session):
    """What old programs do after each insert."""
    append(session, 1, tokens=10)
    session.execute(
        "UPDATE sessions SET message_count = message_count + 1, total_tokens = total_tokens + 10"
    )
    row = session.execute("SELECT message_count, total_tokens FROM sessions").fetchone()
    assert row == (2, 20)


def test_14_an_older_body_of_a_trigger_stays(session):
    """IF NOT EXISTS looks at the name alone."""
    name = "update_session_on_message_insert"
    session.executescript(
        f"DROP TRIGGER {name}; CREATE TRIGGER {name} AFTER INSERT ON messages BEGIN UPDATE "
        "sessions SET message_count = message_count + 1 WHERE session_id = NEW.session_id; END;"
    )
    session.execute(trigger(name))
    append(session, 1, tokens=10)
    assert one(session, "SELECT total_tokens FROM sessions") == 0


def test_15_indexes_are_prefixes_of_others(enhanced):
    """Four indexes on messages begin with the session."""
    redundant = set()
    keys = {}
    for (name,) in enhanced.execute("SELECT name FROM pragma_index_list('messages')").fetchall():
        columns = enhanced.execute("SELECT name FROM pragma_index_info(?)", (name,)).fetchall()
        keys[name] = [column for (column,) in columns]
    for name, columns in keys.items():
        for other, longer in keys.items():
            if name != other and longer[: len(columns)] == columns:
                redundant.add(name)
    assert {"idx_messages_session", "idx_messages_session_seq"} <= redundant


def test_16_indexes_do_not_serve_their_queries(enhanced):
    """The listing is not covered, and the timeouts are not looked up by their expiry."""

    def plan(view):
        rows = enhanced.execute(f"EXPLAIN QUERY PLAN SELECT * FROM {view}").fetchall()
        return " ".join(row[3] for row in rows)

    assert "COVERING" not in plan("active_sessions")
    assert "idx_timeouts_expires" not in plan("sessions_needing_timeout")


def test_17_the_statistics_count_distinct_counts(session):
    """Three sessions of two messages are said to have one."""
    session.execute("INSERT INTO sessions (session_id, model_id) VALUES ('t', 'm'), ('u', 'm')")
    session.execute("UPDATE sessions SET message_count = 2")
    assert one(session, "SELECT total_messages FROM session_statistics") == 1


def test_18_anything_is_stored(session):
    """Negative and text tokens, a fractional number, metadata that is no JSON."""
    append(session, 1, tokens=10)
    append(session, 2, tokens=-5)
    append(session, 3, tokens="many")
    append(session, 4.5)
    session.execute("UPDATE messages SET metadata = '{no json'")
    assert one(session, "SELECT COUNT(*) FROM messages WHERE json_valid(metadata)") == 0
    assert one(session, "SELECT typeof(tokens_used) FROM messages WHERE message_id = 'm3'") == (
        "text"
    )


def test_19_nothing_gives_numbers(session):
    """A message without a number is refused, and two clients find the same MAX + 1."""
    with pytest.raises(sqlite3.IntegrityError, match="sequence_number"):
        append(session, None)
    query = "SELECT COALESCE(MAX(sequence_number), 0) + 1 FROM messages WHERE session_id = 's'"
    first, second = one(session, query), one(session, query)
    append(session, first)
    with pytest.raises(sqlite3.IntegrityError, match="UNIQUE"):
        session.execute(MESSAGE, ("other", second, 0, 0))


def test_24_the_integrity_check_sees_no_orphan(enhanced):
    """Only foreign_key_check does."""
    append(enhanced, 1)
    assert one(enhanced, "PRAGMA integrity_check") == "ok"
    assert len(enhanced.execute("PRAGMA foreign_key_check").fetchall()) == 1


def test_31_deleting_a_conversation_leaves_its_messages(portal):
    """The cascade is declared, and never switched on."""
    portal.execute("DELETE FROM conversations")
    assert one(portal, "SELECT COUNT(*) FROM messages") == 1


def test_32_deleting_a_user_orphans_or_fails(portal):
    """The key of users has no cascade."""
    portal.execute("BEGIN")
    portal.execute("DELETE FROM users")
    assert one(portal, "SELECT COUNT(*) FROM conversations") == 1
    portal.execute("ROLLBACK")
    portal.execute("PRAGMA foreign_keys = ON")
    with pytest.raises(sqlite3.IntegrityError, match="FOREIGN KEY"):
        portal.execute("DELETE FROM users")


def test_59_messages_of_the_portal_have_no_number(portal):
    """Only a time and a random id could order them."""
    columns = [row[1] for row in portal.execute("PRAGMA table_info(messages)").fetchall()]
    assert not [name for name in columns if "seq" in name or "number" in name]


def test_60_the_counts_of_the_portal_are_never_kept(portal):
    """Nothing counts, and nothing moves the times."""
    assert one(portal, "SELECT message_count FROM conversations") is None
    assert one(portal, "SELECT last_message_at FROM conversations") is None


def test_61_roles_are_free_and_addresses_are_fixed(portal):
    """An enumeration in a comment checks nothing; a key that is referred to cannot change."""
    portal.execute("UPDATE messages SET role = 'robot'")
    portal.execute("PRAGMA foreign_keys = ON")
    with pytest.raises(sqlite3.IntegrityError, match="FOREIGN KEY"):
        portal.execute("UPDATE users SET email = 'new@b'")
