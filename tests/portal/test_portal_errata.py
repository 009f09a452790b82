"""What was wrong with the design that the portal follows: shown on its tables, absent from ours.

Each assertion is made twice: on the tables as they were, where it fails, and on the portal's.
"""

from __future__ import annotations

import sqlite3
from importlib import resources

import pytest

from sessionproof.portal import NewMessage

LATER = "2026-01-02 00:00:00"


@pytest.fixture
def legacy():
    """The portal's tables as they were, with a user, a conversation and messages of one second."""
    db = sqlite3.connect(":memory:", isolation_level=None)
    db.executescript((resources.files("sessionproof") / "legacy/portal.sql").read_text("utf-8"))
    db.execute("INSERT INTO users VALUES ('ann@example.org', 'Ann', '2026-01-01', NULL, 1)")
    db.execute(
        "INSERT INTO user_sessions VALUES "
        "('s', 'ann@example.org', 'the-token', '2026-01-01', '2026-01-01', 0)"
    )
    db.execute(
        "INSERT INTO conversations (conversation_id, user_email, created_at, updated_at, "
        "message_count, status) VALUES ('c', 'ann@example.org', '2026-01-01', '2026-01-01', 0, "
        "'active')"
    )
    for n in range(20):  # as random ids have it
        db.execute(
            "INSERT INTO messages VALUES (?, 'c', 'user', ?, 1, '2026-01-02', NULL)",
            (f"{(n * 7) % 20:02}", str(n)),
        )
    yield db
    db.close()


@pytest.fixture
def ours(portal, user, conversation, foreign):
    """The same in the portal's tables, seen by another program."""
    portal.messages.append(conversation.id, [NewMessage("user", str(n), 1) for n in range(20)])
    portal.auth.begin(user.id, idle_us=5)
    return foreign


def one(db, query):
    return db.execute(query).fetchone()[0]


def test_31_messages_go_with_their_conversation(legacy, ours):
    """Erratum 31: a deleted conversation takes its messages along, also with keys left off."""
    for db, holds in ((legacy, False), (ours, True)):
        db.execute("DELETE FROM conversations")
        assert (one(db, "SELECT count(*) FROM messages") == 0) is holds


def test_32_all_goes_with_its_user(legacy, ours):
    """Erratum 32: a deleted user takes everything along, as is documented."""
    for db, holds in ((legacy, False), (ours, True)):
        db.execute("DELETE FROM users")
        left = [one(db, f"SELECT count(*) FROM {t}") for t in ("conversations", "messages")]
        assert (left == [0, 0]) is holds
    legacy.execute("PRAGMA foreign_keys = ON")
    legacy.execute("INSERT INTO users VALUES ('ann@example.org', 'Ann', '2026-01-01', NULL, 1)")
    with pytest.raises(sqlite3.IntegrityError):
        legacy.execute("DELETE FROM users")


def test_41_nothing_stands_beside_the_expiry(legacy, ours):
    """Erratum 41: when a limit moves, whether the session is over moves with it."""
    legacy.execute(f"UPDATE user_sessions SET expires_at = '{LATER}', is_expired = 1")
    assert one(legacy, f"SELECT is_expired AND expires_at >= '{LATER}' FROM user_sessions") == 1
    ours.execute("UPDATE auth_sessions SET last_activity_us = last_activity_us + 7")
    assert one(ours, "SELECT expires_at_us - last_activity_us FROM auth_sessions") == 5
    with pytest.raises(Exception, match=r"expires_at_us|generated"):
        ours.execute("UPDATE auth_sessions SET expires_at_us = 1")


def test_59_messages_keep_their_order(legacy, ours):
    """Erratum 59: twenty messages of one moment are read as they were said."""
    as_read = {
        legacy: "SELECT content FROM messages ORDER BY created_at, message_id",
        ours: "SELECT content FROM messages ORDER BY seq",
    }
    for db, holds in ((legacy, False), (ours, True)):
        texts = [row[0] for row in db.execute(as_read[db]).fetchall()]
        assert (texts == [str(n) for n in range(20)]) is holds


def test_60_counts_and_times_are_kept(legacy, ours):
    """Erratum 60: the conversation knows how many messages it has and when the last one came."""
    assert one(legacy, "SELECT message_count FROM conversations") != 20
    assert one(legacy, "SELECT last_message_at FROM conversations") is None
    assert one(legacy, "SELECT updated_at FROM conversations") == "2026-01-01"
    assert one(ours, "SELECT message_count FROM conversations") == 20
    same = "(SELECT max(created_at_us) FROM messages)"
    assert one(ours, f"SELECT last_message_at_us - {same} FROM conversations") == 0
    assert one(ours, "SELECT updated_at_us - created_at_us FROM conversations") == 20


def test_61_words_are_those_that_there_are(legacy, ours):
    """Erratum 61: a role or status that does not exist is refused; an address can change."""
    for statement in ("UPDATE messages SET role = 'x'", "UPDATE conversations SET status = 'x'"):
        legacy.execute(statement)
        with pytest.raises(Exception, match=r"role_known|status_known"):
            ours.execute(statement)
    legacy.execute("UPDATE users SET email = 'anna@example.org'")
    assert one(legacy, "SELECT count(*) FROM conversations JOIN users ON email = user_email") == 0
    ours.execute("UPDATE users SET email = 'anna@example.org'")
    mine = "SELECT count(*) FROM conversations AS c JOIN users AS u ON u.id = c.user_id"
    assert one(ours, mine) == 1


def test_42_times_are_numbers(ours):
    """Erratum 42: a time is a whole number of microseconds, and no text in any zone."""
    with pytest.raises(Exception, match=r"created_at_us|integer"):
        ours.execute(f"UPDATE messages SET created_at_us = '{LATER}'")
